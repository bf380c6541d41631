"""Turns: one call after the other takes of a provider's limits, lanes by weight and tenants alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from processors.errors import ProcessingError
from processors.fair_queue import LANE_WEIGHTS, FairQueue
from processors.gateway.wanted import Unwanted
from schemas.base import Lane


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


@dataclass(slots=True, eq=False, kw_only=True)
class _Holder:
    """Who has the turn; `error` is why it ended before its time, if it did."""

    unwanted: Unwanted
    stay: asyncio.Timeout = field(default_factory=partial(asyncio.timeout, None))
    error: ProcessingError | None = None

    def leave(self) -> None:
        """End the turn if it is of no use any more."""
        if self.error is None and (error := self.unwanted()) is not None:
            self.error = error
            self.stay.reschedule(asyncio.get_running_loop().time())


class Turns:
    """A lock with a fair queue: many thousand waiters cost no more than one."""

    def __init__(self) -> None:
        self._queue: FairQueue[_Waiter] = FairQueue(LANE_WEIGHTS)
        self._taken = False
        self._holder: _Holder | None = None

    @asynccontextmanager
    async def turn(self, lane: Lane, tenant: str, unwanted: Unwanted) -> AsyncIterator[None]:
        """Wait for a turn and have it until the end of the block; the caller's time-out bounds both.

        Raises:
            ProcessingError: what `unwanted` said, at a sweep.
        """
        if self._taken:
            called = asyncio.get_running_loop().create_future()
            await self._wait(_Waiter(lane=lane, tenant=tenant, unwanted=unwanted, called=called))
        self._taken = True
        holder = self._holder = _Holder(unwanted=unwanted)
        try:
            async with holder.stay:
                yield
        except TimeoutError as error:
            raise holder.error or error from None
        finally:
            self._holder = None
            self._pass_on()

    def sweep(self) -> None:
        """Send away whoever has no more use for a turn, and whoever has one and no use for it."""
        self._queue.sweep(_Waiter.leaves)
        if self._holder is not None:
            self._holder.leave()

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
