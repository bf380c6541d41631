"""Whether a stage consumer that should move does not, and what to do about it: once join anew, then exit."""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What a stall calls for."""

    NONE = "none"
    REJOIN = "rejoin"
    EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What one look at a consumer shows. Times are of one monotonic clock, in seconds.

    Attributes:
        at_s: when it was looked at.
        works: whether records should move: some are there and not all of them wait for good reason.
        finished: records finished since the start.
        moved_s: when a record or a commit last took a step.
        polls: whether it should poll: there is room for more.
        polled_s: when the last poll returned.
    """

    at_s: float
    works: bool
    finished: int
    moved_s: float
    polls: bool
    polled_s: float


class StallDetector:
    """Turns looks into steps. A consumer without progress for `limit_s` seconds is stalled.

    Args:
        limit_s: longer than the longest call may take.
        now_s: the present time; what was before does not count.
    """

    def __init__(self, limit_s: float, now_s: float) -> None:
        self._limit_s = limit_s
        self._worked_s = now_s
        self._polled_s = now_s
        self._finished = 0
        self._rejoined: Pulse | None = None
        self.silent_s = 0.0

    @property
    def stalled(self) -> bool:
        """Whether it joined anew and nothing has been finished since."""
        return self._rejoined is not None

    def observe(self, pulse: Pulse) -> Step:
        """Take a look in and return what to do now."""
        self._follow(pulse)
        if self._rejoined is not None and _recovered(pulse, self._rejoined):
            self._rejoined = None
        if self.silent_s < self._limit_s:
            return Step.NONE
        if self._rejoined is not None:
            return Step.EXIT
        self._rejoined = pulse
        self._worked_s = self._polled_s = pulse.at_s  # joining anew gets the same time
        return Step.REJOIN

    def _follow(self, pulse: Pulse) -> None:
        moved = not pulse.works or pulse.finished != self._finished
        self._worked_s = pulse.at_s if moved else max(self._worked_s, pulse.moved_s)
        self._polled_s = max(self._polled_s, pulse.polled_s) if pulse.polls else pulse.at_s
        self._finished = pulse.finished
        self.silent_s = pulse.at_s - min(self._worked_s, self._polled_s)


def _recovered(pulse: Pulse, rejoined: Pulse) -> bool:
    """A new delivery of a record that hangs is no progress: it must end, or there must be nothing to do."""
    works = pulse.finished > rejoined.finished or not pulse.works
    return works and pulse.polled_s > rejoined.at_s
