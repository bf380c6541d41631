"""Calls in flight at once."""

import asyncio
import math


class Places:
    """A worker's share of the calls that may be in flight. One taker at a time: callers queue before it.

    The share is rounded down, but is one call at least: more workers than places may overshoot together. When
    the share shrinks, calls in flight run on, and nobody gets a place before enough of them have ended.

    Args:
        count: over all workers.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._bound = count
        self.taken = 0
        self._freed = asyncio.Event()

    def set_share(self, share: float) -> None:
        """Hold that share (more than 0, at most 1) of the places."""
        self._bound = max(1, math.floor(self._count * share))
        self._freed.set()

    async def take(self) -> None:
        """Wait for a place and take it."""
        while self.taken >= self._bound:  # bounded by the caller's deadline
            self._freed.clear()
            await self._freed.wait()
        self.taken += 1

    def give_back(self) -> None:
        """Free a place."""
        self.taken -= 1
        self._freed.set()
