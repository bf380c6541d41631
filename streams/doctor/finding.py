"""What one check saw."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is: `fail` is a part without which Pressline cannot work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's result.

    Attributes:
        check: its name.
        status: how bad it is.
        seen: what was seen; no secret stands in it.
        todo: what to do, empty when nothing is to be done.
    """

    check: str
    status: Status
    seen: str
    todo: str = ""


def ok(check: str, seen: str) -> Finding:
    """Return that everything is as it should be."""
    return Finding(check=check, status=Status.OK, seen=seen)


def warn(check: str, seen: str, todo: str) -> Finding:
    """Return that something is worth knowing, or will be missed later."""
    return Finding(check=check, status=Status.WARN, seen=seen, todo=todo)


def fail(check: str, seen: str, todo: str) -> Finding:
    """Return that a needed part is missing."""
    return Finding(check=check, status=Status.FAIL, seen=seen, todo=todo)
