"""Waiting for what another worker is at: bounded, ever slower, jittered."""

import asyncio
import random
from typing import Final, Self

POLL_S: Final = 0.1
POLL_S_MAX: Final = 2.0
POLL_GROWTH: Final = 1.5
WAIT_S_MAX: Final = 120.0


class Polls:
    """An asynchronous iterator: a turn at once, then one after each pause until the time is up.

    A class, since an abandoned asynchronous generator costs the event loop a task.

    Args:
        wait_s_max: sum of the pauses in seconds, after which there are no more turns.
    """

    def __init__(self, wait_s_max: float) -> None:
        self._left_s = wait_s_max
        self._pause_s = 0.0

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> None:
        """Pause, except before the first turn."""
        if self._pause_s > 0:
            await self._pause()
        self._pause_s = min(POLL_S_MAX, max(POLL_S, self._pause_s * POLL_GROWTH))

    async def _pause(self) -> None:
        if self._left_s <= 0:
            raise StopAsyncIteration
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - jitter needs no secrecy
        pause_s = min(self._left_s, self._pause_s * jitter)
        self._left_s -= pause_s
        await asyncio.sleep(pause_s)
