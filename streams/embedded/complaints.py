"""What a child's log says went wrong, and what to do about it."""

import re
from pathlib import Path
from typing import Final

LINES_MAX: Final = 12
LINE_CHARS_MAX: Final = 300
TAIL_BYTES_MAX: Final = 64 * 1024

_TELLING: Final = re.compile(
    r"ERROR|FATAL|PANIC|Exception|Caused by|HINT|DETAIL|error:"
    r"|No space left|in use|Permission denied|cannot be run"
)
_DAMAGED: Final = (
    "the data folder is damaged or incomplete: put back a copy of it, or delete it (which loses its data), "
    "and start again"
)
_ADVICE: Final = (
    (
        r"Address already in use|could not bind|Failed to bind|BindException",
        "another program took the port meanwhile: start again, free ports are then chosen anew",
    ),
    (
        r"No space left|Disk quota",
        "free disk space, or set PRESSLINE_HOME to a folder on a larger disk",
    ),
    (
        r"OutOfMemory|insufficient memory|Cannot allocate|could not (map anonymous|create) shared memory",
        "free memory: the embedded Kafka needs about 200 to 450 MB for each broker, PostgreSQL about 100 MB",
    ),
    (
        r"Permission denied|AccessDenied|has wrong ownership|not owned|invalid permissions",
        "start with the account that made this folder, or set PRESSLINE_HOME to another folder",
    ),
    (r"meta\.properties|Inconsistent|Corrupt|CRC|PANIC|checksum|invalid data|incompatible", _DAMAGED),
    (r"valid (data directory|checkpoint)|No such file|NoSuchFile|could not (open|read)", _DAMAGED),
)
_NO_ADVICE: Final = "read the whole log; delete the data folder (which loses its data) only if nothing helps"


def complaint(log: Path, start_bytes: int) -> str:
    """Quote the telling last lines of a log and say what to do.

    Args:
        log: the file.
        start_bytes: where the present run's part begins.
    """
    text = _read_tail(log, start_bytes)
    quoted = "\n".join(f"    {line[:LINE_CHARS_MAX]}" for line in _telling_lines(text)) or "    (nothing)"
    return f"Its last words, from {log}:\n{quoted}\nWhat to do: {advice(text)}"


def advice(text: str) -> str:
    """Return what to do about a failure, from the words of the program that failed."""
    for pattern, todo in _ADVICE:
        if re.search(pattern, text):
            return todo
    return _NO_ADVICE


def _telling_lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line) and not line.startswith("\tat ")]
    return (telling or lines)[-LINES_MAX:]


def _read_tail(log: Path, start_bytes: int) -> str:
    size_bytes = log.stat().st_size
    # A log that was rolled over meanwhile is shorter than where we began.
    begin = start_bytes if start_bytes <= size_bytes else 0
    with log.open("rb") as file:
        file.seek(max(begin, size_bytes - TAIL_BYTES_MAX))
        return file.read().decode(errors="replace")
