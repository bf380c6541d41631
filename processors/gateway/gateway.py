"""One model call, from plan to ledger.

    find -> price, worst case -> gates -> limits -> open -> call -> parse -> price -> answered -> settle

What a crash, or the loss of the worker, leaves behind:

    crash                           journal              booked        next time the step runs
    before `open` is durable        nothing              nothing       calls
    after `open`, before the call   intent open          worst case    another worker calls: attempt + 1
    during the call                 intent open          worst case    the same; the provider may bill twice
    after the answer came           intent open          worst case    the same; the answer is lost
    after `answered` is durable     answer               its price     replays it; nothing is paid
    after `failed` is durable       attempt closed       worst case if maybe billed, else nothing; calls

Only the third and fourth line buy an answer twice: the calls that were in flight at the crash, and no others.
A worker that lives closes what it opens: after an error, after a cancellation (bounded), and while the store
is away as soon as it is back, even what it opened without hearing of it. An answer that cannot be written
stays in memory for as long as the worker lives.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from processors.errors import (
    BudgetExceededError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
    ScopeClosedError,
)
from processors.gates import Gates
from processors.gateway import tokens
from processors.gateway.calling import Heard, call
from processors.gateway.catalogue import Catalogue
from processors.gateway.context import require_fit
from processors.gateway.counts import believable, of_text
from processors.gateway.formats import FORMATS
from processors.gateway.journal import CallIntent, CallJournal, CallKey, JournaledAnswer
from processors.gateway.journal_writer import JournalWriter
from processors.gateway.kept import kept_text, kept_words
from processors.gateway.limits import Demand, ProviderLimits
from processors.gateway.prices import Prices
from processors.gateway.rate_headers import stated_limits
from processors.gateway.wire import StopReason, Transport, WireRequest
from processors.model import CallPhase, CallState, ModelAnswer, ModelRequest
from processors.ports import Clock
from schemas.catalogue import ProviderRules
from schemas.scope import Scope, ScopeKind
from schemas.usage import UsageRecorded

CALL_HEADER = "x-pressline-call"
TASK_HEADER = "x-pressline-task"
ERROR_CHARS_MAX = 500
UNBILLED = (ProviderRateLimitedError, ProviderQuotaError, ProviderRejectedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A call that may be made.

    Attributes:
        request: what is asked.
        intent: what is booked for it.
        demand: what it takes of the provider's limits.
        provider: who answers.
        wire: what goes out, but for the headers that name the attempt.
        planned_at: the moment whose prices hold, for the worst case as for the call itself.
    """

    request: ModelRequest
    intent: CallIntent
    demand: Demand
    provider: ProviderRules
    wire: WireRequest
    planned_at: datetime

    def tell(self, phase: CallPhase) -> None:
        """Say to the record what it waits for."""
        self.request.tell(CallState(phase, self.provider.name, self.intent.model))


class Gateway:
    """Messaging Gateway to the models of a catalogue.

    Args:
        catalogue: who answers.
        prices: what it costs.
        journal: the paid-call journal.
        limits: of each provider that answers.
        transports: to each provider that answers.
        clock: the time of day.
        gates: providers and models that are held back.
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
    ) -> None:
        self._catalogue = catalogue
        self._prices = prices
        self._journal = journal
        self._writer = JournalWriter(journal)
        self._limits = limits
        self._transports = transports
        self._clock = clock
        self._gates = gates

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the model's answer: from the journal if it was bought before, else by one call.

        Raises:
            UnpricedModelError, PromptTooLongError: the catalogue lacks the model, or its window is too small.
            BudgetExceededError: the call's worst case is more than `request.budget_usd`.
            TransientError, PermanentError: any `Provider*Error` of `processors/errors.py`.
            ScopeClosedError: the provider or the model is held back, and no answer is in the journal.
            ClaimedElsewhereError: another live worker is at this call.
            AbandonedError: the record was given to another worker before the call's turn had come.
            StoreUnavailableError: the journal is away; a bought answer is kept for the next try.
        """
        key = CallKey(revision=request.revision, step=request.step)
        await self._writer.flush(key)
        found = await self._journal.find(key)
        if found is not None:
            return _replay(request, found)
        plan = self._plan(request, key)
        await require_fit(request, plan.wire.body, self._catalogue.model(request.model).context_tokens)
        self._check_open(plan)
        try:
            return await self._admitted(plan)
        finally:
            request.tell(None)

    async def _admitted(self, plan: _Plan) -> ModelAnswer:
        request, key, limits = plan.request, plan.intent.key, self._limits[plan.provider.name]
        plan.tell(CallPhase.QUOTA)
        async with limits.admitted(plan.demand) as reserved:
            plan.tell(CallPhase.CALL)
            self._check_open(plan)  # its turn may have come long after it was closed
            opened = await self._writer.open(plan.intent)
            if isinstance(opened, JournaledAnswer):
                return _replay(request, opened)
            bought = await self._buy(plan, opened.attempt)
            limits.settle(plan.demand, reserved, bought.usage)
            await self._writer.answered(key, bought)
        return _answer(request, bought, replayed=False)

    def _plan(self, request: ModelRequest, key: CallKey) -> _Plan:
        model = self._catalogue.model(request.model)
        provider = self._catalogue.provider_of(model)
        wire = FORMATS[provider.format].build_request(request, stream=provider.stream)
        input_tokens_max = tokens.input_max(wire.body, model.context_tokens)
        now = self._clock.now()
        cost_max_usd = self._prices.worst_case(model.name, input_tokens_max, request.output_tokens_max, now)
        _within(request, cost_max_usd)
        intent = CallIntent(
            key=key,
            task=request.task,
            recipe=request.recipe,
            provider=provider.name,
            model=model.name,
            simulated=provider.simulated,
            cost_max_usd=cost_max_usd,
        )
        demand = Demand(
            model=model.name,
            input_tokens=tokens.input_estimate(wire.body),
            output_tokens_max=request.output_tokens_max,
            abandoned=request.abandoned,
        )
        return _Plan(
            request=request, intent=intent, demand=demand, provider=provider, wire=wire, planned_at=now
        )

    def _check_open(self, plan: _Plan) -> None:
        provider, model = plan.intent.provider, plan.intent.model
        for scope in (Scope(ScopeKind.PROVIDER, provider), Scope(ScopeKind.MODEL, model)):
            if why := self._gates.why(scope):
                raise ScopeClosedError(scope, why)

    async def _buy(self, plan: _Plan, attempt: int) -> JournaledAnswer:
        """Call and price. However that ends, the intent does not stay open for want of an answer."""
        key = plan.intent.key
        try:
            heard = await self._call(plan, attempt)
            return self._priced(plan, attempt, heard)
        except asyncio.CancelledError:
            await self._writer.cancelled(key, attempt, "cancelled during the call", billed=True)
            raise
        except Exception as error:
            self._pause(plan, error)
            told = "; ".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
            text = told[:ERROR_CHARS_MAX]
            await self._writer.failed(key, attempt, text, billed=_maybe_billed(error))
            raise

    async def _call(self, plan: _Plan, attempt: int) -> Heard:
        naming = {CALL_HEADER: _call_id(plan.request, attempt), TASK_HEADER: plan.request.task.task_id}
        wire = WireRequest(path=plan.wire.path, headers={**plan.wire.headers, **naming}, body=plan.wire.body)
        provider = plan.provider
        return await call(
            provider,
            self._transports[provider.name],
            wire,
            self._clock.now(),
            plan.demand.input_tokens,
            lambda headers: self._limits[provider.name].learn(stated_limits(headers, self._clock.now())),
        )

    def _priced(self, plan: _Plan, attempt: int, heard: Heard) -> JournaledAnswer:
        parsed = heard.parsed
        given = believable(parsed.count, plan.request.output_tokens_max)
        count = given or of_text(plan.demand.input_tokens, tokens.estimate(parsed.text))
        return JournaledAnswer(
            attempt=attempt,
            text=kept_text(plan.request, parsed),
            finish_reason="length" if parsed.stop_reason is StopReason.LENGTH else "stop",
            provider=plan.provider.name,
            model=plan.request.model,
            simulated=plan.provider.simulated,
            usage=count.usage,
            usage_estimated=given is None,
            cost_usd=self._prices.price(plan.request.model, count, plan.planned_at),
            submission_id=plan.request.task.submission_id,
            latency_s=heard.latency_s,
            answered_at=self._clock.now(),
            first_token_s=heard.first_token_s,
            response_model=parsed.response_model,
        )

    def _pause(self, plan: _Plan, error: Exception) -> None:
        if isinstance(error, ProviderRateLimitedError) and error.retry_after_s:
            self._limits[plan.provider.name].pause(error.retry_after_s)


def _within(request: ModelRequest, cost_max_usd: Decimal) -> None:
    if request.budget_usd is not None and cost_max_usd > request.budget_usd:
        raise BudgetExceededError(
            f"step {request.step!r} with {request.model!r} may cost {cost_max_usd:f} USD, expected at most"
            f" the {request.budget_usd:f} USD that are left; raise the budget or lower output_tokens_max"
        )


def _maybe_billed(error: Exception) -> bool:
    if isinstance(error, ProviderUnavailableError):
        return error.billed
    return not isinstance(error, UNBILLED)


def _call_id(request: ModelRequest, attempt: int) -> str:
    return f"{request.revision}/{request.step}/{attempt}"


def _replay(request: ModelRequest, found: JournaledAnswer) -> ModelAnswer:
    # The same submission tells of the same call again; another one has paid nothing.
    return _answer(request, found, replayed=found.submission_id != request.task.submission_id)


def _answer(request: ModelRequest, bought: JournaledAnswer, *, replayed: bool) -> ModelAnswer:
    task = request.task
    recorded = UsageRecorded(
        call_id=_call_id(request, bought.attempt),
        task_id=task.task_id,
        submission_id=bought.submission_id,
        # The batch of the submission that paid; of another submission it is not known here.
        batch_id=None if replayed else task.batch_id,
        tenant=task.tenant,
        team=task.team,
        feature=task.feature,
        recipe=request.recipe,
        step=request.step,
        provider=bought.provider,
        model=bought.model,
        usage=bought.usage,
        usage_estimated=bought.usage_estimated,
        cost_usd=bought.cost_usd,
        simulated=bought.simulated,
        latency_s=bought.latency_s,
        first_token_s=bought.first_token_s,
        replayed=replayed,
        recorded_at=bought.answered_at,
    )
    text, tool_calls = kept_words(request, bought.text)
    return ModelAnswer(
        text=text,
        tool_calls=tool_calls,
        finish_reason=bought.finish_reason,
        recorded=recorded,
        response_model=bought.response_model,
    )
