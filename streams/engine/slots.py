"""The bound on calls in flight."""

import asyncio
from collections import deque
from collections.abc import Callable


def _ignore() -> None:
    """Nobody waits outside."""


class Slots:
    """At most `count` records are worked on at once; a record that only waits holds no slot.

    A slot that is given back goes to the longest waiting one at once, so that nobody overtakes.

    Args:
        count: number of slots.
        on_free: called when a slot is free and nobody here waits for it.
    """

    def __init__(self, count: int, on_free: Callable[[], None] = _ignore) -> None:
        self._count = count
        self._free = count
        self._on_free = on_free
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._count - self._free

    @property
    def free(self) -> bool:
        """Whether one can be taken at once."""
        return self._free > 0

    def take(self) -> "Slot":
        """Take one without waiting, even when none is free: what asks `free` first keeps the bound."""
        self._free -= 1
        return Slot(self, held=True)

    async def acquire(self) -> None:
        """Take one; waiters are served in order, and before `on_free` is called."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the turn came together with the cancellation: pass it on
            raise

    def release(self) -> None:
        """Give one back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
        self._on_free()


class Slot:
    """One record's slot; releasing it twice is harmless."""

    __slots__ = ("_held", "_slots")

    def __init__(self, slots: Slots, *, held: bool = False) -> None:
        self._slots = slots
        self._held = held

    async def acquire(self) -> None:
        """Take the slot, waiting for a free one."""
        if not self._held:
            await self._slots.acquire()
            self._held = True

    def release(self) -> None:
        """Give the slot back."""
        if self._held:
            self._held = False
            self._slots.release()
