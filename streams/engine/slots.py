"""The bound on calls in flight."""

import asyncio


class Slots:
    """At most `count` records are worked on at once; a record that only waits holds no slot.

    Args:
        count: number of slots.
    """

    def __init__(self, count: int) -> None:
        self._semaphore = asyncio.Semaphore(count)
        self._count = count
        self._taken = 0

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._taken

    async def reserve(self, most: int) -> list["Slot"]:
        """Return one to `most` slots, as many as are free now; wait for the first."""
        slots = [Slot(self)]
        await slots[0].acquire()
        while len(slots) < most and not self._semaphore.locked():
            slots.append(Slot(self))
            await slots[-1].acquire()
        return slots

    async def acquire(self) -> None:
        """Take one; waiters are served in order."""
        await self._semaphore.acquire()
        self._taken += 1

    def release(self) -> None:
        """Give one back."""
        self._taken -= 1
        self._semaphore.release()


class Slot:
    """One record's slot; releasing it twice is harmless."""

    __slots__ = ("_held", "_slots")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._held = False

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
