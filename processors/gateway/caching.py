"""Calls that the answer cache may answer: fresh at no price, stale where a call fails, one of many at once.

    key -> flight -> store -> flight of all workers -> journal, or else the call -> flights, store

An answer of the cache stands in the journal as one of this very call, at a price of 0. So a record that comes
again hears the same, also when the cache has forgotten or replaced it, and the steps after it fit to it.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from processors.clock import Clock
from processors.errors import ProcessingError
from processors.gateway import recording
from processors.gateway.cache_key import cache_key
from processors.gateway.cached_answers import CacheKey
from processors.gateway.catalogue import Catalogue
from processors.gateway.flights import Flights, Seat
from processors.gateway.journal import CallJournal, CallKey
from processors.gateway.served import Served, adoption, shareable
from processors.gateway.spared_store import SparedStore
from processors.gateway.wanted import unwanted
from processors.gateway.worker_flights import WorkerFlights
from processors.model import CallPhase, CallState, ModelAnswer, ModelRequest
from schemas.catalogue import ProviderRules
from schemas.usage import CacheResult

Ask = Callable[[ModelRequest, CallKey], Awaitable[ModelAnswer]]


class CachedCalls:
    """Answers from the cache, or by asking.

    Args:
        store: cached answers.
        journal: where an answer of the cache becomes one of the call.
        catalogue: who would answer.
        clock: the time of day.
    """

    def __init__(
        self,
        store: SparedStore,
        journal: CallJournal,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._journal = journal
        self._catalogue = catalogue
        self._clock = clock
        self._flights: Flights[Served] = Flights()
        self._worker_flights = WorkerFlights(store)

    async def complete(self, request: ModelRequest, key: CallKey, ask: Ask) -> ModelAnswer:
        """Return the cache's answer, or what `ask` returns where the step does not use it or it has none.

        Raises:
            UnpricedModelError: the catalogue lacks the model.
            AbandonedError, DeadlinePassedError, LimitWaitError: while another one asked the same.
            ClaimedElsewhereError, StoreUnavailableError: from the journal.
        """
        if request.cache is None:
            return await ask(request, key)
        provider = self._provider(request)
        question = cache_key(request, provider)
        request.tell(CallState(CallPhase.QUOTA, provider.name, request.model))  # of who asks the same
        # A live task does not wait behind a bulk one's turn at the limits.
        flight = f"{request.task.lane}/{question.digest}"
        is_unwanted = partial(self._unwanted, request)
        find = partial(self._find, question, stale=False)
        async with self._flights.board(flight, is_unwanted) as seat:
            served = seat.landed or await find()
            if served is None:
                async with self._worker_flights.board(flight, is_unwanted, find) as served:
                    if served is None:
                        answer = await ask(request, key)
                        await self._share(request, question, answer, seat)
                        return answer
            seat.land(served)
            return await self._adopted(request, key, served)

    async def stale(self, request: ModelRequest, key: CallKey) -> ModelAnswer | None:
        """Return an answer whose time is over, if the step lets it stand in and there is one.

        Raises:
            ClaimedElsewhereError, StoreUnavailableError: from the journal.
        """
        if request.cache is None or not request.cache.stale_s:
            return None
        served = await self._find(cache_key(request, self._provider(request)), stale=True)
        return None if served is None else await self._adopted(request, key, served)

    async def _share(
        self, request: ModelRequest, question: CacheKey, answer: ModelAnswer, seat: Seat[Served]
    ) -> None:
        shared = shareable(request, answer)
        if shared is None:
            return
        seat.land(shared)
        if answer.recorded.cache is CacheResult.MISS:
            await self._store.put(question, shared.answer)

    def _unwanted(self, request: ModelRequest) -> ProcessingError | None:
        return unwanted(request, self._clock.now())

    def _provider(self, request: ModelRequest) -> ProviderRules:
        return self._catalogue.provider_of(self._catalogue.model(request.model))

    async def _find(self, question: CacheKey, *, stale: bool) -> Served | None:
        found, now = await self._store.find(question), self._clock.now()
        if found is None:
            return None
        if now < found.expires_at:
            return Served(answer=found, result=CacheResult.HIT)
        if not stale or now >= found.kept_until:
            return None
        why = f"stale answer of {found.answered_at.isoformat(timespec='seconds')}"
        return Served(answer=found, result=CacheResult.STALE, degraded_by=why)

    async def _adopted(self, request: ModelRequest, key: CallKey, served: Served) -> ModelAnswer:
        intent, given = adoption(request, key, served, self._clock.now())
        return recording.replay(request, await self._journal.adopt(intent, given))
