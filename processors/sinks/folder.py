"""A site's folder: its path, its locks, and files that are there whole or not at all."""

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processors.errors import ProcessingError, SinkRejectedError, SinkUnavailableError

SITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}")
LOCK_WAIT_S_MAX = 10.0
LOCK_POLL_S = 0.01
PATH_FAULTS = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP})
"""What no retry mends; every other fault of the file system (full, read-only, not mounted) may pass."""


def site_folder(root: Path, site: str) -> Path:
    """Return the site's folder, made if it is not there.

    Raises:
        SinkRejectedError: the name cannot be one folder's, or the folder is a link.
        OSError: the folder cannot be made.
    """
    if not SITE_NAME.fullmatch(site):
        raise SinkRejectedError(f"site {site!r} has a slash in it, expected a name that can be one folder's")
    folder = root.resolve() / site
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != folder:
        raise SinkRejectedError(f"the folder of site {site!r} is a link, expected a folder inside the root")
    return folder


def write_atomic(path: Path, content: bytes) -> None:
    """Replace the file by `content`; a crash at any moment leaves the old file or the new one.

    The caller holds a lock that covers `path`, so the temporary name is always the same: a crash leaves one
    such file at most, and the next write takes it over. `sync_folder` makes the new name outlast a loss of
    power.

    Raises:
        OSError: the file system refuses.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: Path, line: bytes) -> None:
    """Append the line by one write at the file's end, so that lines of several processes never mix.

    Raises:
        OSError: the file system refuses, or took a part of the line only (ENOSPC).
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        written = os.write(descriptor, line)
    finally:
        os.close(descriptor)
    if written < len(line):
        raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes were written")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file; threads and processes alike wait for it. The kernel frees it when its holder dies.

    Raises:
        SinkUnavailableError: it was held by others for LOCK_WAIT_S_MAX seconds.
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def failure(error: OSError) -> ProcessingError:
    """Return the fault of the file system as the error that says whether trying again can help."""
    name = errno.errorcode.get(error.errno or 0, "an unknown fault")
    if error.errno in PATH_FAULTS:
        return SinkRejectedError(f"the file system will never take this page: {name} ({error.strerror})")
    return SinkUnavailableError(f"the file system refuses: {name} ({error.strerror})")


def _lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S_MAX
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise SinkUnavailableError(f"{path.name} was held for {LOCK_WAIT_S_MAX} s") from None
            time.sleep(LOCK_POLL_S)
        else:
            return
