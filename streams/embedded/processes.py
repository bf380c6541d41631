"""Child processes that Pressline owns: started apart from the terminal, stopped within a bound."""

import asyncio
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from streams.embedded.complaints import complaint
from streams.embedded.errors import EmbeddedError, load_extra

POLL_S: Final = 0.05
KILL_S_MAX: Final = 10.0
"""How long the kernel may take to end a process after SIGKILL."""
LEFTOVER_STOP_S_MAX: Final = 20.0


class ChildProcess:
    """A running program with its output in a log file.

    It gets a session of its own: an interrupt typed at the terminal reaches Pressline alone, which then
    stops its children in order.

    Args:
        name: what messages call it.
        command: program and arguments.
        folder: its working folder.
        log: file that its output is added to.
        environment: its whole environment, or None for ours.

    Raises:
        EmbeddedError: the program cannot be started.
    """

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        folder: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_start_bytes = output.tell()
            self._process = _spawn(name, command, folder, output, environment)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def wait(self, bound_s: float) -> int:
        """Wait for it to end by itself and return its exit code.

        Raises:
            EmbeddedError: it did not within the bound in seconds, and was killed.
        """
        try:
            return self._process.wait(timeout=bound_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise self.failure(f"did not end within {bound_s:.0f} s") from error

    def stop(self, steps: Iterable[tuple[signal.Signals, float]]) -> None:
        """Ask it to end, each signal with its bound in seconds; SIGKILL when none was heeded."""
        for number, bound_s in steps:
            if not self.running:
                return
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=bound_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL it and wait until it is gone.

        Raises:
            EmbeddedError: the kernel did not end it within KILL_S_MAX.
        """
        self._process.kill()
        try:
            self._process.wait(timeout=KILL_S_MAX)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedError(
                f"{self.name} (process {self.pid}) is still there {KILL_S_MAX} s after SIGKILL: it waits for "
                "a disk; look at the file system that holds PRESSLINE_HOME"
            ) from error

    def failure(self, observed: str) -> EmbeddedError:
        """Return an error that quotes what the program said since its start.

        Args:
            observed: what happened, as the sentence that the message opens with.
        """
        return EmbeddedError(f"{self.name}: {observed}. {complaint(self._log, self._log_start_bytes)}")

    def wait_until(self, ready: Callable[[], bool], *, bound_s: float, abandoned: threading.Event) -> None:
        """Wait until `ready` holds.

        Raises:
            EmbeddedError: the program ended, the bound in seconds passed, or `abandoned` was set.
        """
        deadline = time.monotonic() + bound_s
        while not ready():
            if not self.running:
                raise self.failure(
                    f"ended at start with exit code {self._process.returncode}, expected it to stay"
                )
            if time.monotonic() > deadline:
                raise self.failure(f"did not answer within {bound_s:.0f} s of its start")
            if abandoned.wait(POLL_S):
                raise EmbeddedError(f"{self.name}: the start was abandoned on request")


def _spawn(
    name: str, command: Sequence[str], folder: Path, output: Any, environment: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the command is ours, not a user's
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise EmbeddedError(
            f"{name}: {command[0]} cannot be run ({error.strerror}): reinstall it with "
            "pip install --force-reinstall 'pressline[embedded]'"
        ) from error


def matching_processes(is_ours: Callable[[Any], bool]) -> list[Any]:
    """Return the processes, as psutil describes them, that are ours.

    Args:
        is_ours: tells by a process's own traits, as its command line; a process id in a file would not do, as
            ids are given out again.
    """
    psutil = load_extra("psutil")
    return [process for process in psutil.process_iter() if _matches(process, is_ours, psutil)]


def end_leftovers(is_ours: Callable[[Any], bool], *, ask_with: signal.Signals) -> None:
    """End processes that an earlier run left behind.

    Args:
        is_ours: as for `matching_processes`.
        ask_with: the signal that asks for an orderly end; SIGKILL follows after LEFTOVER_STOP_S_MAX.

    Raises:
        EmbeddedError: one cannot be ended.
    """
    found = matching_processes(is_ours)
    if not found:
        return
    _signal_roots(found, ask_with)
    remaining = _still_there(found, LEFTOVER_STOP_S_MAX)
    for process in remaining:
        with suppress(load_extra("psutil").Error):
            process.kill()
    remaining = _still_there(remaining, KILL_S_MAX)
    if remaining:
        raise EmbeddedError(
            f"processes {[process.pid for process in remaining]} of an earlier run still use this data "
            "folder and cannot be ended: end them by hand, or ask the account that runs them to"
        )


def _matches(process: Any, is_ours: Callable[[Any], bool], psutil: Any) -> bool:
    # A process that ends meanwhile, or that another account hides, is not ours to end.
    try:
        return is_ours(process)
    except (psutil.Error, OSError):
        return False


def _signal_roots(processes: list[Any], number: signal.Signals) -> None:
    # A process that others were started by is the one that knows how to end them.
    psutil = load_extra("psutil")
    ids = {process.pid for process in processes}
    for process in processes:
        with suppress(psutil.Error):
            if number == signal.SIGKILL or process.ppid() not in ids:
                process.send_signal(number)


def _still_there(processes: list[Any], bound_s: float) -> list[Any]:
    deadline = time.monotonic() + bound_s
    while (
        remaining := [process for process in processes if _works(process)]
    ) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return remaining


def _works(process: Any) -> bool:
    # One that has ended stays listed until its parent asks; in a container without an init nobody does.
    psutil = load_extra("psutil")
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


async def run_blocking(work: Callable[[], None], abandoned: threading.Event) -> None:
    """Run blocking work in a thread, so that it belongs to no event loop.

    Cancelled, it sets `abandoned` and returns only when the work has ended: nothing goes on unseen.
    """
    abandoned.clear()
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        abandoned.set()
        with suppress(EmbeddedError):
            await task
        raise
