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
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
LOCK_WAIT_S_MAX = 10.0
LOCK_POLL_S = 0.01
PATH_FAULTS = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP})
"""What no retry mends; every other fault of the file system (full, read-only, not mounted) may pass."""


@contextmanager
def opened_site(root: Path, site: str) -> Iterator[int]:
    """Open the site's folder, made if it is not there, and lend its descriptor.

    Every name inside is looked up from the descriptor: the path above it is walked once for a page, and what
    is put in the folder's place meanwhile is not written to.

    Raises:
        SinkRejectedError: the name cannot be one folder's, or the folder is a link.
        OSError: the folder cannot be made or read.
    """
    if not SITE_NAME.fullmatch(site):
        raise SinkRejectedError(f"site {site!r} has a slash in it, expected a name that can be one folder's")
    folder = _open_folder(root / site)
    try:
        yield folder
    finally:
        os.close(folder)


def read_file(folder: int, name: str) -> bytes | None:
    """Return the file's content, or None when it is not there."""
    try:
        descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def write_atomic(folder: int, name: str, content: bytes) -> None:
    """Replace the file by `content`; a crash at any moment leaves the old file or the new one.

    The caller holds a lock that covers `name`, so the temporary name is always the same: a crash leaves one
    such file at most, and the next write takes it over. Only fsync of the folder makes the new name outlast
    a loss of power.

    Raises:
        OSError: the file system refuses.
    """
    temporary = f".{name}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666, dir_fd=folder)
    try:
        left = memoryview(content)
        while left:  # each round writes a byte at least, or raises
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def append_line(folder: int, name: str, line: bytes) -> None:
    """Append the line by one write at the file's end, so that lines of several processes never mix.

    Raises:
        OSError: the file system refuses, or took a part of the line only (ENOSPC).
    """
    descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644, dir_fd=folder)
    try:
        written = os.write(descriptor, line)
    finally:
        os.close(descriptor)
    if written < len(line):
        raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes were written")


@contextmanager
def locked(folder: int, name: str) -> Iterator[None]:
    """Hold the lock file; threads and processes alike wait for it. The kernel frees it when its holder dies.

    Raises:
        SinkUnavailableError: it was held by others for LOCK_WAIT_S_MAX seconds.
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o644, dir_fd=folder)
    try:
        _lock(descriptor, name)
        yield
    finally:
        os.close(descriptor)


def failure(error: OSError) -> ProcessingError:
    """Return the fault of the file system as the error that says whether trying again can help."""
    name = errno.errorcode.get(error.errno or 0, "an unknown fault")
    if error.errno in PATH_FAULTS:
        return SinkRejectedError(f"the file system will never take this page: {name} ({error.strerror})")
    return SinkUnavailableError(f"the file system refuses: {name} ({error.strerror})")


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, FOLDER_FLAGS)
    except FileNotFoundError:
        path.mkdir(parents=True, exist_ok=True)
        return os.open(path, FOLDER_FLAGS)
    except OSError:
        if path.is_symlink():
            raise SinkRejectedError(
                f"the folder of site {path.name!r} is a link, expected a folder inside the root"
            ) from None
        raise


def _lock(descriptor: int, name: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S_MAX
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise SinkUnavailableError(f"{name} was held for {LOCK_WAIT_S_MAX} s") from None
            time.sleep(LOCK_POLL_S)
        else:
            return
