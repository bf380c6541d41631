"""Turns: one call after the other takes of a provider's limits, lanes by weight and tenants alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from processors.errors import ProcessingError
from processors.fair_queue import LANE_WEIGHTS, FairQueue
from schemas.base import Lane

Unwanted = Callable[[], ProcessingError | None]
"""Says why a call is of no use any more, or None while it is."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Waiter:
    """Who waits for a turn; `called` ends with None when it comes, or with the reason to go without it."""

    lane: Lane
    tenant: str
    unwanted: Unwanted
    called: asyncio.Future[ProcessingError | None]

    def leaves(self) -> bool:
        """Go without a turn if it is of no use any more."""
        error = self.unwanted()
        if error is not None and not self.called.done():
            self.called.set_result(error)
        return error is not None


class Turns:
    """A lock with a fair queue: many thousand waiters cost no more than one."""

    def __init__(self) -> None:
        self._queue: FairQueue[_Waiter] = FairQueue(LANE_WEIGHTS)
        self._taken = False

    @asynccontextmanager
    async def turn(self, lane: Lane, tenant: str, unwanted: Unwanted) -> AsyncIterator[None]:
        """Wait for a turn and have it until the end of the block; the caller's time-out bounds the wait.

        Raises:
            ProcessingError: what `unwanted` said, at a sweep.
        """
        if self._taken:
            called = asyncio.get_running_loop().create_future()
            await self._wait(_Waiter(lane=lane, tenant=tenant, unwanted=unwanted, called=called))
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    def sweep(self) -> None:
        """Send away whoever has no more use for a turn."""
        self._queue.sweep(_Waiter.leaves)

    async def _wait(self, waiter: _Waiter) -> None:
        self._queue.put(waiter.lane, waiter.tenant, waiter)
        try:
            error = await waiter.called
        except asyncio.CancelledError:
            if waiter.called.cancelled():
                self._queue.remove(waiter.lane, waiter.tenant, waiter)
            elif waiter.called.result() is None:
                self._pass_on()  # the turn had come at that very moment
            raise
        if error is not None:
            raise error

    def _pass_on(self) -> None:
        while (waiter := self._queue.next()) is not None:  # each pass takes one out of the queue
            self._queue.done(waiter.lane, waiter.tenant)
            if not waiter.called.done():
                waiter.called.set_result(None)
                return
        self._taken = False
