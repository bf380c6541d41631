"""PostgreSQL as users run it: it starts, survives kills, and says why when it cannot start."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from fixtures.broker import until
from streams.embedded.errors import EmbeddedError, load_extra
from streams.embedded.ports import LOOPBACK
from streams.embedded.postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

psutil = load_extra("psutil")


async def execute(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def kept(postgres: EmbeddedPostgres) -> list[int]:
    connection = await asyncpg.connect(postgres.url)
    try:
        return [row["number"] for row in await connection.fetch("SELECT number FROM kept ORDER BY number")]
    finally:
        await connection.close()


def works(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path) as postgres:
        await execute(postgres, "CREATE TABLE kept (number integer); INSERT INTO kept VALUES (1)")
        yield postgres


async def test_pgvector_is_there(started: EmbeddedPostgres) -> None:
    await execute(started, "CREATE EXTENSION vector; SELECT '[1,2]'::vector <=> '[2,1]'::vector")


async def test_a_kill_loses_nothing_and_the_address_stays(started: EmbeddedPostgres) -> None:
    url, pids = started.url, started.pids
    await execute(started, "INSERT INTO kept VALUES (2)")

    await started.kill()
    # A process goes on until the kernel gives it a turn to end.
    await until(lambda: not any(works(pid) for pid in pids))
    await started.start()

    assert started.url == url
    assert await kept(started) == [1, 2]


async def test_backends_of_a_killed_server_do_not_hinder_the_next(started: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(started.url)
    sleeping = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.1)
    server = started.pids[0]

    os.kill(server, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(server)], timeout=10)
    await started.start()

    assert await kept(started) == [1]
    connection.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await sleeping


async def test_a_server_of_a_crashed_run_is_ended_and_its_data_taken_over(
    started: EmbeddedPostgres, tmp_path: Path
) -> None:
    orphan = started.pids[0]
    # What the kernel does when the run is killed: it gives the folder back, the child goes on.
    started._lock.release()

    async with EmbeddedPostgres(tmp_path) as successor:
        assert successor.pids[0] != orphan
        assert started.ended
        assert await kept(successor) == [1]


async def test_a_stale_lock_file_with_anothers_process_id_is_no_hindrance(
    started: EmbeddedPostgres, tmp_path: Path
) -> None:
    lock_file = tmp_path / "postgres" / "data" / "postmaster.pid"
    lines = lock_file.read_text().splitlines()
    await started.kill()
    # As after a restart of a container: the id is given out again, to a process that lives.
    lock_file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))

    await started.start()

    assert await kept(started) == [1]


async def test_a_taken_port_is_left_and_the_data_stays(started: EmbeddedPostgres) -> None:
    before = started.url
    port = int(before.rpartition(":")[2].partition("/")[0])
    await started.stop()

    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, port))
        holder.listen()
        await started.start()

    assert started.url != before
    assert await kept(started) == [1]


async def test_a_folder_in_use_is_refused_and_its_run_goes_on(
    started: EmbeddedPostgres, tmp_path: Path
) -> None:
    with pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"):
        await EmbeddedPostgres(tmp_path).start()

    assert await kept(started) == [1]


async def test_a_broken_data_folder_is_quoted_and_nothing_is_left_running(
    started: EmbeddedPostgres, tmp_path: Path
) -> None:
    await started.stop()
    (tmp_path / "postgres" / "data" / "global" / "pg_control").unlink()

    with pytest.raises(EmbeddedError, match=r"(?s)PostgreSQL: ended at start.*pg_control.*put back a copy"):
        await started.start()

    assert started.pids == ()


async def test_a_lost_password_is_explained(started: EmbeddedPostgres, tmp_path: Path) -> None:
    await started.stop()
    (tmp_path / "postgres" / "password").unlink()

    with pytest.raises(EmbeddedError, match="password"):
        await started.start()


async def test_an_initdb_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    remains = tmp_path / "postgres" / "data.new"
    remains.mkdir(parents=True)
    (remains / "PG_VERSION").write_text("18")

    async with EmbeddedPostgres(tmp_path) as postgres:
        await execute(postgres, "SELECT 1")


async def test_nobody_is_let_in_without_the_password(started: EmbeddedPostgres) -> None:
    _, _, address = started.url.rpartition("@")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://pressline:guess@{address}")


async def test_it_runs_below_a_private_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)

    async with EmbeddedPostgres(private / "home") as postgres:
        await execute(postgres, "SELECT 1")

    assert private.stat().st_mode & 0o777 == 0o700
