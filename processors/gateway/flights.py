"""Single flight: of those who ask the same at the same time one asks, and the others wait for that answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from processors.errors import LimitWaitError
from processors.gateway.wanted import Unwanted

WAIT_S_MAX = 300.0
"""As long as a call waits for its turn at a provider's limits: a leader that takes long does that."""

LOOK_S = 1.0
"""Seconds between two looks at whether a waiter's answer is still wanted."""

T = TypeVar("T")
_Flight = asyncio.Future[T | None]


class Seat(Generic[T]):
    """A place on a flight.

    Attributes:
        landed: what another one's asking brought; None: ask yourself.
    """

    def __init__(self, flight: _Flight[T], landed: T | None = None) -> None:
        self.landed = landed
        self._flight = flight

    def land(self, brought: T) -> None:
        """Give all who wait what was brought, and who comes before the seat is left; the first counts."""
        if not self._flight.done():
            self._flight.set_result(brought)


class Flights(Generic[T]):
    """What is being asked in this process, by name.

    Whoever leads a flight and leaves it without an answer, by a failure or a cancellation, hands it on: the
    first of those who wait leads the next one. Nobody fails because another one did.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    @asynccontextmanager
    async def board(self, name: str, unwanted: Unwanted) -> AsyncIterator[Seat[T]]:
        """Take a seat: to lead, or with what the leader brought.

        Raises:
            LimitWaitError: the leader has nothing yet after WAIT_S_MAX seconds.
            ProcessingError: what `unwanted` said while waiting.
        """
        landed = await self._landed(name, unwanted)
        flight: _Flight[T] = asyncio.get_running_loop().create_future()
        if landed is not None:
            yield Seat(flight, landed)
            return
        # Nothing awaits between the last look and this: of several waiters only one finds no flight.
        self._flights[name] = flight
        try:
            yield Seat(flight)
        finally:
            del self._flights[name]
            if not flight.done():
                flight.set_result(None)

    async def _landed(self, name: str, unwanted: Unwanted) -> T | None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + WAIT_S_MAX
        while (flight := self._flights.get(name)) is not None:  # until_s bounds the passes
            if loop.time() >= until_s:
                raise LimitWaitError(
                    f"another task has asked the same for {WAIT_S_MAX:g} s, expected an answer by then"
                )
            if (error := unwanted()) is not None:
                raise error
            await asyncio.wait({flight}, timeout=min(LOOK_S, until_s - loop.time()))
            if flight.done() and (landed := flight.result()) is not None:
                return landed
        return None
