"""Progress of one partition: which records are taken, which are finished."""

from collections import deque
from collections.abc import Iterable

WINDOW_OFFSETS_MAX = 24_000
"""Widest span of a window. A bitmap of so many offsets always fits into the commit metadata's 4,096 bytes."""


class Window:
    """Records of one partition between the lowest unfinished and the highest taken offset.

    Offsets may have gaps (compaction, transaction markers): only offsets that were taken are waited for.

    Args:
        start: the next offset to take.
        finished: offsets above `start` that are known to be finished; they are skipped when they come.
    """

    __slots__ = ("_finished", "_next", "_order")

    def __init__(self, start: int, finished: Iterable[int] = ()) -> None:
        self._next = start
        self._order: deque[int] = deque()
        self._finished = {offset for offset in finished if offset >= start}

    @property
    def next_offset(self) -> int:
        """The next offset to take."""
        return self._next

    @property
    def lowest_unfinished(self) -> int:
        """The offset to commit: every record below it is finished, or never existed."""
        return self._order[0] if self._order else self._next

    @property
    def finished_above(self) -> frozenset[int]:
        """Offsets above the lowest unfinished one that are finished."""
        return frozenset(self._finished)

    @property
    def span(self) -> int:
        """How many offsets the window covers."""
        return self._next - self.lowest_unfinished

    @property
    def unfinished(self) -> int:
        """How many taken records are unfinished."""
        return sum(offset not in self._finished for offset in self._order)

    @property
    def full(self) -> bool:
        """Whether no more records may be taken until the lowest one is finished."""
        return self.span >= WINDOW_OFFSETS_MAX

    def take(self, offset: int) -> bool:
        """Take a record in.

        Returns:
            Whether it is to be processed: False when it is finished already, or was taken before.
        """
        if offset < self._next:
            return False
        self._next = offset + 1
        self._order.append(offset)
        if offset in self._finished:
            self._advance()
            return False
        return True

    def finish(self, offset: int) -> None:
        """Mark a taken record as finished."""
        self._finished.add(offset)
        self._advance()

    def _advance(self) -> None:
        order, finished = self._order, self._finished
        while order and order[0] in finished:
            finished.discard(order.popleft())
