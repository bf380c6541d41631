"""One model call, from plan to ledger.

    find -> price -> window -> gates -> limits -> breakers -> open -> call -> parse -> price -> answered

What lies between `call` and the second `price` is in `buying.py`. A step that uses the answer cache
(`caching.py`) asks it after `find`; what it has costs nothing. Budgets are asked by `open`, whose intent is
the reservation; a soft one leads to a stale answer of the cache, or else to a second, cheaper plan. A model
that does not answer leads to the next one of its chain (`fallback.py`), from `price` on; when all have
failed, a stale answer is better than none.

What a crash, or the loss of the worker, leaves behind:

    crash                           journal              booked        next time the step runs
    before `open` is durable        nothing              nothing       calls
    after `open`, before the call   intent open          worst case    another worker calls: attempt + 1
    during the call                 intent open          worst case    the same; the provider may bill twice
    after the answer came           intent open          worst case    the same; the answer is lost
    after `answered` is durable     answer               its price     replays it; nothing is paid
    after `failed` is durable       attempt closed       worst case if maybe billed, else nothing; calls

Only the third and fourth line buy an answer twice: the calls that were in flight at the crash, and no others.
After DEATHS_MAX such crashes in one call it is asked no more, and its record is a dead letter.
A worker that lives closes what it opens: after an error, after a cancellation (bounded), and while the store
is away as soon as it is back, even what it opened without hearing of it. An answer that cannot be written
stays in memory for as long as the worker lives.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from processors.breakers import Breakers
from processors.clock import Clock
from processors.errors import (
    PROVIDER_FAULTS,
    LimitWaitError,
    ProcessingError,
    ScopeClosedError,
)
from processors.gates import Gates
from processors.gateway import recording
from processors.gateway.budget_book import BudgetBook
from processors.gateway.budgets import Refused, refusal
from processors.gateway.buying import Buyer
from processors.gateway.caching import CachedCalls
from processors.gateway.call_breakers import CallBreakers
from processors.gateway.catalogue import Catalogue
from processors.gateway.context import require_fit
from processors.gateway.fallback import Chain
from processors.gateway.hedging import first_answer, hedge_step
from processors.gateway.journal import CallJournal, CallKey, JournaledAnswer
from processors.gateway.journal_writer import JournalWriter
from processors.gateway.limits import ProviderLimits
from processors.gateway.plan import CallPlan, Planner
from processors.gateway.prices import Prices
from processors.gateway.spared_store import NOTHING_KEPT, SparedStore
from processors.gateway.wanted import unwanted
from processors.gateway.wire import Transport
from processors.model import CallPhase, ModelAnswer, ModelRequest
from schemas.base import Lane


class Gateway:
    """Messaging Gateway to the models of a catalogue.

    Args:
        catalogue: who answers.
        prices: what it costs.
        journal: the paid-call journal.
        limits: of each provider that answers.
        transports: to each provider that answers.
        clock: the time of day.
        gates: providers and models that persons hold back.
        budgets: what calls are booked on.
        breakers: of providers and models that fail.
        answers: the answer cache; without one only calls of the same moment share an answer.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own, given by name
        self,
        *,
        catalogue: Catalogue,
        prices: Prices,
        journal: CallJournal,
        limits: Mapping[str, ProviderLimits],
        transports: Mapping[str, Transport],
        clock: Clock,
        gates: Gates,
        budgets: BudgetBook,
        breakers: Breakers,
        answers: SparedStore = NOTHING_KEPT,
    ) -> None:
        self._catalogue = catalogue
        self._planner = Planner(catalogue, prices, budgets, clock)
        self._journal = journal
        self._writer = JournalWriter(journal)
        self._buyer = Buyer(prices, self._writer, limits, transports, clock)
        self._limits = limits
        self._clock = clock
        self._gates = gates
        self._budgets = budgets
        self._breakers = CallBreakers(breakers)
        self._cached = CachedCalls(answers, journal, catalogue, clock)

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the model's answer: from the journal if it was bought before, the cache, or by a call.

        When the model does not answer, each of its fallbacks is asked once; `outcome` says which of their
        errors is raised. Retries are the caller's.

        Raises:
            UnpricedModelError, PromptTooLongError: the catalogue lacks the model, or its window is too small.
            BudgetExceededError: the call's worst case is more than `request.budget_usd`, or more than a
                budget can ever have left for it.
            BudgetExhaustedError: more than a budget has left now.
            TransientError, PermanentError: any `Provider*Error` of `processors/errors.py`.
            ScopeClosedError: the provider or the model is held back or fails, and nothing is in the journal.
            DeadlinePassedError: the task's deadline passed before the call's turn had come; nothing is paid.
            ClaimedElsewhereError: another live worker is at this call.
            AbandonedError: this worker lost the record, or was told to stop, before the call's turn had come.
            StoreUnavailableError: the journal is away; a bought answer is kept for the next try.
        """
        found = await self._found(request)
        if found is not None:
            return found
        key = CallKey(revision=request.revision, step=request.step)
        try:
            return await self._cached.complete(request, key, self._answered)
        finally:
            request.tell(None)

    async def _found(self, request: ModelRequest) -> ModelAnswer | None:
        """Return the answer that the journal has: the question's own, or else its hedge's."""
        hedged = (hedge_step(request.step),) if request.hedge_after_s else ()
        for step in (request.step, *hedged):
            key = CallKey(revision=request.revision, step=step)
            await self._writer.flush(key)
            found = await self._journal.find(key, lambda: unwanted(request, self._clock.now()))
            if found is not None:
                return recording.replay(replace(request, step=step), found)
        return None

    async def _answered(self, request: ModelRequest, key: CallKey) -> ModelAnswer:
        """Ask; where the providers fail, an answer of the cache whose time is over is better than none."""
        try:
            return await self._first_answer(request)
        except PROVIDER_FAULTS as error:
            if isinstance(error, LimitWaitError) or self._is_held(error):
                raise  # what waits for its turn, or for a person, goes on later
            stale = await self._cached.stale(request, key)
            if stale is None:
                raise
            return stale

    def _is_held(self, error: ProcessingError) -> bool:
        return isinstance(error, ScopeClosedError) and self._gates.why(error.scope) is not None

    async def _first_answer(self, request: ModelRequest) -> ModelAnswer:
        chain = Chain(request, self._catalogue.fallbacks)
        if request.hedge_after_s is None or request.task.lane is not Lane.LIVE:
            return await self._answer(chain)
        hedge_after_s = request.hedge_after_s
        return await first_answer(self._answer(chain), lambda: self._answer(chain.hedge()), hedge_after_s)

    async def _answer(self, chain: Chain) -> ModelAnswer:
        """Ask one model after the other until one answers; see `Chain`."""
        while True:  # each pass but the last takes a model off the chain
            try:
                answer = await self._asked(chain)
            except ProcessingError as error:
                chain.go_on(error)
            else:
                if answer is not None:
                    return answer

    async def _asked(self, chain: Chain) -> ModelAnswer | None:
        """Ask the chain's present model. None: a soft budget wants it cheaper, and so the chain is now."""
        plan = await self._planner.plan(
            chain.request,
            degraded_by=chain.degraded_by,
            instead_of=chain.instead_of,
            replaceable=chain.replaceable,
        )
        key = plan.intent.key
        await self._writer.flush(key)
        with chain.purse.holding(plan.intent.cost_max_usd) as give_back:
            outcome = await self._admitted(plan)
            if not isinstance(outcome, Refused):
                return outcome
            give_back()
        if chain.may_spare(outcome) and (stale := await self._cached.stale(chain.question, key)):
            return stale
        if chain.take_cheaper(outcome):
            return None
        raise refusal(outcome, plan.intent.cost_max_usd, self._clock.now())

    async def _admitted(self, plan: CallPlan) -> ModelAnswer | Refused:
        request, key, limits = plan.request, plan.intent.key, self._limits[plan.provider.name]
        await require_fit(request, plan.wire.body, plan.context_tokens)
        self._check_wanted(plan)
        if recalled := self._budgets.recall(plan.intent):
            return recalled
        plan.tell(CallPhase.QUOTA)
        demand = replace(plan.demand, unwanted=partial(self._unwanted, plan))
        async with limits.admitted(demand) as reserved:
            plan.tell(CallPhase.CALL)
            self._check_wanted(plan)  # what it took of the limits may have taken long
            with self._breakers.admitted(*plan.scopes) as answered:
                opened = await self._writer.open(plan.intent)
                if isinstance(opened, JournaledAnswer):
                    return recording.replay(request, opened)
                if isinstance(opened, Refused):
                    self._budgets.note(plan.intent, opened)
                    return opened
                bought = await self._buyer.buy(plan, opened.attempt)
                answered()
            limits.settle(demand, reserved, bought.usage)
            await self._writer.answered(key, bought)
        return recording.answer(request, bought, replayed=False)

    def _check_wanted(self, plan: CallPlan) -> None:
        if (error := self._unwanted(plan)) is not None:
            raise error

    def _unwanted(self, plan: CallPlan) -> ProcessingError | None:
        """Return why the call is not to be made, or not any more."""
        if (error := unwanted(plan.request, self._clock.now())) is not None:
            return error
        for scope in plan.scopes:
            if why := self._gates.why(scope):
                return ScopeClosedError(scope, why)
        return self._breakers.refusal(plan.scopes)
