"""One run of one client: its process calls a local server so often, and tells what that took."""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
import psutil

from benchmarks.environments import ROOT
from benchmarks.gateway_plan import ALONE, BARE, CLIENTS
from benchmarks.plan import Case
from benchmarks.run_case import Run
from streams.embedded import ports
from streams.embedded.errors import EmbeddedError
from streams.embedded.postgres import EmbeddedPostgres
from streams.store.database import Database
from streams.store.migrations import migrate

FOLDER = ROOT / "benchmarks" / "clients"
MARK = b"@bench "
MEMORY = Path("/dev/shm")  # noqa: S108 - a disk in memory is what is wanted
WARM_UP_CALLS = 50
RUN_S_MAX = 120.0
IMPORT_S_MAX = 60.0
SERVE_S_MAX = 10.0
ERROR_CHARS_MAX = 160
IMPORT = "import time; s = time.perf_counter(); import {}; print(time.perf_counter() - s)"
LEAVE_S = 0.3
"""PostgreSQL's processes end so soon after their client, and are counted then."""


class GatewayBench:
    """A local server of chat completions and two PostgreSQL servers: one on disk, one in memory."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._postgres: dict[str, EmbeddedPostgres] = {}
        self._bare_p50_ms: float | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            await self._serve(stack)
            await self._start_postgres(stack, "disk", self._folder)
            if MEMORY.is_dir():  # noqa: ASYNC240 - one look at the start
                memory = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
                await self._start_postgres(stack, "memory", Path(memory))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self._stack.aclose()

    async def run(self, case: Case, python: Path) -> Run:
        """Let the client make its calls; count those that were answered and those that the server had."""
        client = CLIENTS[case.peer]
        postgres = self._postgres.get(client.disk or "")
        if client.disk is not None and postgres is None:
            return Run(case=case, figures={}, problem=f"no PostgreSQL on {client.disk}")
        served, postgres_s = await self._served(), _cpu_s(postgres)
        told = await self._told(case, python, "" if postgres is None else postgres.url)
        if isinstance(told, str):
            return Run(case=case, figures={}, problem=told)
        figures = _figures(case, told)
        if postgres is not None:
            await asyncio.sleep(LEAVE_S)
            figures["postgres_cpu_ms_per_call"] = (_cpu_s(postgres) - postgres_s) / _asked(case) * 1000
        if case.name == ALONE:
            figures |= await self._alone(case, python, figures["p50_ms"])
        return Run(
            case=case,
            figures=figures,
            missing=case.records - told["answers"],
            repeated=await self._served() - served - _asked(case),
        )

    async def _alone(self, case: Case, python: Path, p50_ms: float) -> dict[str, float]:
        """Return what runs of single calls tell: time of the import, time added to the bare transport."""
        if case.peer == BARE:
            self._bare_p50_ms = p50_ms
        found = {} if self._bare_p50_ms is None else {"added_p50_ms": p50_ms - self._bare_p50_ms}
        process = await _start([str(python), "-c", IMPORT.format(CLIENTS[case.peer].imports)])
        out, _ = await asyncio.wait_for(process.communicate(), IMPORT_S_MAX)
        return found | {"import_s": float(out.split()[-1])}

    async def _told(self, case: Case, python: Path, journal_url: str) -> dict[str, Any] | str:
        """Return what the client's process says of itself, or why it says nothing."""
        with tempfile.TemporaryDirectory() as folder:
            job = {"url": f"{self._url}/v1", "calls": case.records, "warm_up": _asked(case) - case.records}
            job |= {"in_flight": case.in_flight, "journal_url": journal_url, "folder": folder}
            process = await _start([str(python), str(FOLDER / f"{case.peer}.py"), orjson.dumps(job).decode()])
            try:
                out, errors = await asyncio.wait_for(process.communicate(), RUN_S_MAX)
            except TimeoutError:
                return f"no end within {RUN_S_MAX:g} s"
            finally:
                _kill(process)
                await process.wait()
        return _parse(out.splitlines(), errors)

    async def _serve(self, stack: AsyncExitStack) -> None:
        port = ports.choose()
        self._url = f"http://127.0.0.1:{port}"
        server = await _start([sys.executable, str(FOLDER / "chat_server.py"), str(port)])
        stack.push_async_callback(server.wait)
        stack.callback(_kill, server)
        async with asyncio.timeout(SERVE_S_MAX):
            while not await self._serves():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def _serves(self) -> bool:
        try:
            return await self._served() >= 0
        except httpx.HTTPError:
            return False

    async def _served(self) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            return int((await client.get(f"{self._url}/served")).json())

    async def _start_postgres(self, stack: AsyncExitStack, disk: str, home: Path) -> None:
        postgres = EmbeddedPostgres(home)
        try:
            await stack.enter_async_context(postgres)
        except EmbeddedError as error:
            print(f"no PostgreSQL on {disk}: {error}", flush=True)
            return
        database = await Database.open(postgres.url, connections_max=1)
        await migrate(database)
        await database.close()
        self._postgres[disk] = postgres


def _asked(case: Case) -> int:
    """Return how many calls a run makes, with those before the measured ones: each connection is opened."""
    return case.records + max(WARM_UP_CALLS, case.in_flight)


def _figures(case: Case, told: dict[str, Any]) -> dict[str, float]:
    return {
        "p50_ms": told["p50_ms"],
        "p99_ms": told["p99_ms"],
        "cpu_ms_per_call": told["cpu_s"] / case.records * 1000,
        "calls_per_s": case.records / told["wall_s"],
        "calls_per_cpu_s": case.records / told["cpu_s"],
        "rss_mib_per_process": told["rss_kib"] / 1024,
        "load_average": os.getloadavg()[0],
    }


def _parse(out: Iterable[bytes], errors: bytes) -> dict[str, Any] | str:
    for line in out:
        if line.startswith(MARK):
            return dict(orjson.loads(line.removeprefix(MARK)))
    lines = errors.decode(errors="replace").strip().splitlines()
    return (lines or ["it said nothing"])[-1][:ERROR_CHARS_MAX]


async def _start(command: list[str]) -> Process:
    # Compiled modules are kept, as users keep them: else imports would be compilations.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT)
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )


def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()


def _cpu_s(postgres: EmbeddedPostgres | None) -> float:
    """Return the processor time of all its processes so far; the server's own counts those that ended."""
    pids = () if postgres is None else postgres.pids
    return sum(_process_cpu_s(pid, pids[0]) for pid in pids)


def _process_cpu_s(pid: int, server_pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    ended_s = times.children_user + times.children_system if pid == server_pid else 0.0
    return float(times.user + times.system + ended_s)
