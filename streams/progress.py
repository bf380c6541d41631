"""How far a load is: from its counts to rate, time left and verdict."""

from collections import deque
from dataclasses import dataclass

from schemas.base import Outcome
from streams.store.batches import BatchStatus
from streams.store.task_rows import Progress

WINDOW = 30
"""Looks that the rate is taken over: with one look a second, half a minute."""
GOOD: tuple[str, ...] = (Outcome.PUBLISHED, Outcome.UNCHANGED, Progress.IN_REVIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """A load at one moment.

    Attributes:
        status: its counts.
        simulated: whether its model calls were answered by a simulation.
        rows_per_s: rows that came to an end or to a person, a second, over the last WINDOW looks.
        left_s: seconds until all have, at that rate; None while nothing moves, and at the end.
        stalled_s: seconds since any count changed.
    """

    status: BatchStatus
    simulated: bool
    rows_per_s: float = 0.0
    left_s: float | None = None
    stalled_s: float = 0.0


class ProgressMeter:
    """Measures the rate of a load that is looked at now and then."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._moved_s = 0.0
        self._last: tuple[object, ...] | None = None

    def update(self, now_s: float, status: BatchStatus, *, simulated: bool) -> LoadProgress:
        """Return the load's progress.

        Args:
            now_s: monotonic seconds.
            status: the counts at that moment.
            simulated: whether its model calls were.
        """
        counts = (status.rows_sent, status.states, status.calls)
        if counts != self._last:
            self._last, self._moved_s = counts, now_s
        self._looks.append((now_s, settled(status)))
        rate = self._rate()
        left = status.batch.rows_total - settled(status)
        return LoadProgress(
            status=status,
            simulated=simulated,
            rows_per_s=rate,
            left_s=left / rate if rate > 0 and left > 0 else None,
            stalled_s=now_s - self._moved_s,
        )

    def _rate(self) -> float:
        (first_s, first_rows), (last_s, last_rows) = self._looks[0], self._looks[-1]
        return max(0.0, (last_rows - first_rows) / (last_s - first_s)) if last_s > first_s else 0.0


def in_review(status: BatchStatus) -> int:
    """Return how many rows wait for a person."""
    return status.states.get(Progress.IN_REVIEW, 0)


def settled(status: BatchStatus) -> int:
    """Return how many rows have an outcome or wait for a person: nothing but a person moves them."""
    return status.finished + in_review(status)


def is_settled(status: BatchStatus) -> bool:
    """Return whether every row was sent and has an outcome or waits for a person."""
    return status.rows_sent >= status.batch.rows_total <= settled(status)


def is_finished(status: BatchStatus) -> bool:
    """Return whether every row was sent and has an outcome."""
    return status.rows_sent >= status.batch.rows_total <= status.finished


def imbalance(status: BatchStatus) -> int:
    """Return how many rows have neither an outcome nor a person to wait for; 0 when all are accounted for."""
    return status.batch.rows_total - settled(status)


def failed(status: BatchStatus) -> int:
    """Return how many rows ended in another way than as a page."""
    return sum(count for state, count in status.states.items() if state in set(Outcome) - set(GOOD))
