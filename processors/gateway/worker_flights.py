"""Single flight over workers: of those who ask the same at the same time one asks, and the others look."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from processors.errors import LimitWaitError
from processors.gateway.flights import LOOK_S, WAIT_S_MAX
from processors.gateway.spared_store import SparedStore
from processors.gateway.wanted import Unwanted

T = TypeVar("T")


class WorkerFlights:
    """What is being asked by any worker, by name; in this process `Flights` lets one come here for each.

    As long as the store is away or slow, every worker asks for itself.

    Args:
        store: says who leads.
    """

    def __init__(self, store: SparedStore) -> None:
        self._store = store

    @asynccontextmanager
    async def board(
        self, name: str, unwanted: Unwanted, find: Callable[[], Awaitable[T | None]]
    ) -> AsyncIterator[T | None]:
        """Wait until `find` has what another worker's asking brought, or else lead: then it is None.

        Raises:
            LimitWaitError: the leader has nothing yet after WAIT_S_MAX seconds.
            ProcessingError: what `unwanted` said while waiting.
        """
        leads, landed = await self._boarded(name, unwanted, find)
        if not leads:
            yield landed
            return
        try:
            # Another worker may have brought it between the last look and the lead.
            yield await find()
        finally:
            await self._store.land(name)

    async def _boarded(
        self, name: str, unwanted: Unwanted, find: Callable[[], Awaitable[T | None]]
    ) -> tuple[bool, T | None]:
        """Return whether this worker leads, and what another one brought; neither without the store."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + WAIT_S_MAX
        while not (leads := await self._store.lead(name)):  # until_s bounds the passes
            if leads is None:
                return False, None
            if loop.time() >= until_s:
                raise LimitWaitError(
                    f"another worker has asked the same for {WAIT_S_MAX:g} s, expected an answer by then"
                )
            if (error := unwanted()) is not None:
                raise error
            await asyncio.sleep(LOOK_S)
            if (landed := await find()) is not None:
                return False, landed
        return True, None
