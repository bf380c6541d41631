"""The ground truth: one line per request before it is answered, one after, in a file that outlives kill -9.

Each line is one JSON object, written by one `write(2)` on a descriptor opened with O_APPEND, so a line that
was written stays written when the process is killed. `event` is `started`, `request` or `answered`. The file
is bounded by `log_bytes_max`; when it is full the server refuses requests, as an answer without its line
would make the ground truth false. The file is never rotated: move it away while the server is stopped.
"""

import os
from pathlib import Path
from typing import Any

import orjson

LINE_BYTES_MAX = 8_192
# At the bound, the answers to requests that are in flight must still fit.
RESERVE_BYTES = 32 * 1_048_576
FILE_MODE = 0o644


class LogFullError(RuntimeError):
    """The ground truth log has reached its bound."""


class GroundTruthLog:
    """An append-only JSON lines file.

    Args:
        path: The file; it and its folder are made if missing.
        bytes_max: Size at which `append` refuses lines that are not `last_words`.
    """

    def __init__(self, path: Path, bytes_max: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._bytes_max = bytes_max
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        self._size = os.fstat(self._descriptor).st_size
        self._end_torn_line()

    def append(self, line: dict[str, Any], *, last_words: bool = False) -> None:
        """Write one line.

        Args:
            line: A JSON object of at most `LINE_BYTES_MAX` bytes.
            last_words: The line ends a request that is logged already; it may use the reserve.

        Raises:
            LogFullError: The file is at its bound.
            OSError: The file system did not take the line.
        """
        raw = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        if len(raw) > LINE_BYTES_MAX:
            raise ValueError(f"log line of {len(raw)} bytes, expected at most {LINE_BYTES_MAX}: shorten it")
        allowed = self._bytes_max + (RESERVE_BYTES if last_words else 0)
        if self._size + len(raw) > allowed:
            raise LogFullError(
                f"{self._path} holds {self._size} bytes of {self._bytes_max}: stop the server and move the"
                " file away, or raise log_bytes_max"
            )
        written = os.write(self._descriptor, raw)
        self._size += written
        if written != len(raw):
            raise OSError(f"{self._path}: wrote {written} of {len(raw)} bytes: is the disk full?")

    def close(self) -> None:
        """Close the file; nothing is buffered."""
        os.close(self._descriptor)

    def _end_torn_line(self) -> None:
        # A full disk or a power cut can tear the last line; the next must not be glued to it.
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            self._size += os.write(self._descriptor, b"\n")


def clean(header: str) -> str:
    """Return a header without bytes that are not UTF-8, which can be neither logged nor compared."""
    return header.encode("utf-8", "replace").decode()
