"""A lock on a data folder: two runs on one folder would damage each other's data."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.embedded.errors import EmbeddedError

LOCK_FILE: Final = "lock"
PID_BYTES_MAX: Final = 20


class HomeLock:
    """Holds a folder for this process, from `acquire` to `release` or to the process's death.

    The kernel gives the lock back when its holder dies, so a crash leaves no stale lock. Child processes
    do not inherit it.

    Args:
        home: the folder; made if missing.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the folder now."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the folder; taking it again is no change.

        Raises:
            EmbeddedError: another run holds it, or the folder cannot be written.
        """
        if self._descriptor is not None:
            return
        descriptor = _open(self._home)
        try:
            _lock(descriptor, self._home)
        except OSError as error:
            os.close(descriptor)
            raise _unusable(self._home, error) from error
        except EmbeddedError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the folder back; giving it back again is no change."""
        if self._descriptor is not None:
            # The file stays: removing it would let a third run lock a file that nobody sees any more.
            os.truncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def holder_pid(home: Path) -> int | None:
    """Return the id of the process that holds the folder, None when nobody does."""
    try:
        descriptor = os.open(home.resolve() / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_pid(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _open(home: Path) -> int:
    try:
        home.mkdir(parents=True, exist_ok=True)
        return os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unusable(home, error) from error


def _lock(descriptor: int, home: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise EmbeddedError(
            f"the folder {home} is in use by process {_read_pid(descriptor) or 'unknown'}: one run at a "
            "time; stop that run (pressline down) or set PRESSLINE_HOME to another folder"
        ) from error
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _read_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, PID_BYTES_MAX, 0)
    return int(text) if text.isdigit() else None


def _unusable(home: Path, error: OSError) -> EmbeddedError:
    return EmbeddedError(
        f"the folder {home} cannot be used ({error.strerror}): expected a disk with space that this account "
        "may write; free space, change the owner or set PRESSLINE_HOME to another folder"
    )
