"""PostgreSQL 18 with pgvector as a child process."""

import asyncio
import signal
import threading
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.embedded import ports
from streams.embedded.errors import EmbeddedError
from streams.embedded.home_lock import HomeLock
from streams.embedded.postgres_account import Account, choose_account
from streams.embedded.postgres_files import (
    DATA_FOLDER,
    DATABASE,
    USER,
    ensure_data,
    explain_private,
    is_server_of,
    remembered_password,
    remembered_port,
    server_command,
)
from streams.embedded.postgres_probe import has_database
from streams.embedded.processes import ChildProcess, end_leftovers, matching_processes, run_blocking

START_S_MAX: Final = 120.0
"""From process start until clients are served; long after a crash with much to recover, else 0.3 s."""
FAST_STOP_S_MAX: Final = 15.0
"""For SIGINT: connections are cut, a checkpoint is written."""
IMMEDIATE_STOP_S_MAX: Final = 5.0
"""For SIGQUIT: all processes end at once, the next start recovers."""


class EmbeddedPostgres:
    """PostgreSQL on 127.0.0.1, its data in `<home>/postgres`, its log in `<home>/logs/postgres.log`.

    It has one database, `pressline`, and one user of that name. What it has committed outlives any crash.
    Started by root, which PostgreSQL refuses, it runs as an unprivileged account. Nothing here belongs to an
    event loop: one loop may start it and another stop it. Calls must not overlap.

    Args:
        home: Pressline's data folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home.resolve() / "postgres"
        self._log = home.resolve() / "logs" / "postgres.log"
        self._lock = HomeLock(self._folder)
        self._abandoned = threading.Event()
        self._url: str | None = None
        self._child: ChildProcess | None = None

    @property
    def url(self) -> str:
        """Where clients connect, as `postgresql://user:password@host:port/database`.

        Raises:
            EmbeddedError: it was never started.
        """
        if self._url is None:
            raise EmbeddedError("PostgreSQL was not started yet: call start() first")
        return self._url

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids, the server's own first, then those of the processes that it started."""
        if self._child is None or not self._child.running:
            return ()
        found = (process.pid for process in matching_processes(partial(is_server_of, self._folder)))
        return (self._child.pid, *(pid for pid in found if pid != self._child.pid))

    @property
    def ended(self) -> bool:
        """Whether it does not run though nobody stopped or killed it here."""
        return self._child is not None and not self._child.running

    async def start(self) -> None:
        """Start it and wait until it serves clients; started again, it is no change.

        Processes that an earlier run left behind on this folder are ended first.

        Raises:
            EmbeddedError: the folder is in use or damaged, or the server does not start.
        """
        try:
            await run_blocking(self._start, self._abandoned)
        except asyncio.CancelledError:
            self._stop()
            raise

    async def stop(self) -> None:
        """Stop it, within the named bounds and then by force; stopped again, it is no change."""
        await run_blocking(self._stop, self._abandoned)

    async def kill(self) -> None:
        """SIGKILL all its processes, as a crash would; killed again, it is no change."""
        await run_blocking(self._kill, self._abandoned)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _start(self) -> None:
        if self._child is not None and self._child.running:
            return
        self._lock.acquire()
        try:
            self._start_locked()
        except OSError as error:
            self._stop()
            raise EmbeddedError(
                f"PostgreSQL's folder {self._folder} cannot be used ({error}): expected a disk with space "
                "that this account may write; free space, change the owner or set PRESSLINE_HOME to another "
                "folder"
            ) from error
        except BaseException:
            self._stop()
            raise

    def _start_locked(self) -> None:
        self._end_processes(signal.SIGINT)
        account = choose_account(self._folder / DATA_FOLDER)
        try:
            ensure_data(self._folder, self._log, account)
            self._serve(account)
        except EmbeddedError as error:
            raise explain_private(error, self._folder, account) from error

    def _serve(self, account: Account | None) -> None:
        port = remembered_port(self._folder)
        password = remembered_password(self._folder)
        self._url = f"postgresql://{USER}:{password}@{ports.LOOPBACK}:{port}/{DATABASE}"
        self._child = ChildProcess(
            name="PostgreSQL",
            command=server_command(self._folder, port, account),
            folder=self._folder,
            log=self._log,
        )
        self._child.wait_until(
            partial(has_database, port, USER, password, DATABASE),
            bound_s=START_S_MAX,
            abandoned=self._abandoned,
        )

    def _stop(self) -> None:
        if self._child is not None:
            self._child.stop(((signal.SIGINT, FAST_STOP_S_MAX), (signal.SIGQUIT, IMMEDIATE_STOP_S_MAX)))
            self._child = None
        self._lock.release()

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
            # The others would notice by themselves, but only after what they are doing.
            self._end_processes(signal.SIGKILL)

    def _end_processes(self, ask_with: signal.Signals) -> None:
        end_leftovers(partial(is_server_of, self._folder), ask_with=ask_with)
        # With none of its processes left the file can only mislead: the id in it may be another's by now.
        (self._folder / DATA_FOLDER / "postmaster.pid").unlink(missing_ok=True)
