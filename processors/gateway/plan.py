"""A call before it is made: what goes out, what it may cost at most, what it takes of the limits."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from processors.clock import Clock
from processors.errors import BudgetExceededError
from processors.gateway import tokens
from processors.gateway.assembly import assembled
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import Catalogue
from processors.gateway.fallback import FALLBACK_AFTER_S
from processors.gateway.journal import CallIntent, CallKey, InsteadOf
from processors.gateway.limits import Demand
from processors.gateway.prices import Prices
from processors.gateway.prompt_cache_key import prompt_cache_key
from processors.gateway.speech import Speech, speech
from processors.gateway.wire import WireRequest
from processors.model import CallPhase, CallState, ModelRequest
from schemas.base import Lane
from schemas.catalogue import ModelKind, ModelRules, ProviderRules
from schemas.scope import Scope, ScopeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """A call that may be made.

    Attributes:
        request: what is asked.
        intent: what is booked for it.
        demand: what it takes of the provider's limits.
        provider: who answers.
        speech: how the provider is spoken to.
        context_tokens: the window that all of the prompt has to fit.
        wire: what goes out, but for the headers that name the attempt.
        trimmed: parts of the prompt that were trimmed to fit the window.
        planned_at: the moment whose prices hold, for the worst case as for the call itself.
        instead_of: the model that was to answer and did not; None: this one is.
        scopes: its provider and its model.
    """

    request: ModelRequest
    intent: CallIntent
    demand: Demand
    provider: ProviderRules
    speech: Speech
    context_tokens: int
    wire: WireRequest
    trimmed: tuple[str, ...]
    planned_at: datetime
    instead_of: InsteadOf | None
    scopes: tuple[Scope, Scope]

    def tell(self, phase: CallPhase) -> None:
        """Say to the record what it waits for."""
        self.request.tell(CallState(phase, self.provider.name, self.intent.model))


class Planner:
    """Plans calls.

    Args:
        catalogue: who answers.
        prices: what it costs.
        budgets: what calls are booked on.
        clock: the time of day.
    """

    def __init__(self, catalogue: Catalogue, prices: Prices, budgets: BudgetBook, clock: Clock) -> None:
        self._catalogue = catalogue
        self._prices = prices
        self._budgets = budgets
        self._clock = clock

    async def plan(
        self,
        request: ModelRequest,
        *,
        degraded_by: str | None = None,
        instead_of: InsteadOf | None = None,
        replaceable: bool = False,
    ) -> CallPlan:
        """Return the call.

        Args:
            request: what is asked.
            degraded_by: the soft budget that made it cheaper, or None.
            instead_of: the model that was to answer and did not, or None.
            replaceable: whether another model can be asked, so that nobody needs to wait long for this one.

        Raises:
            UnpricedModelError: the catalogue lacks the model, or its price.
            PromptTooLongError: parts that are never trimmed do not fit the model's window.
            BudgetExceededError: its worst case is more than `request.budget_usd`.
        """
        model = self._catalogue.model(request.model)
        provider = self._catalogue.provider_of(model)
        context_tokens = _context_tokens(request, model)
        request, trimmed = await assembled(_suited(request, model, provider), context_tokens)
        spoken = speech(request, model, provider)
        wire = spoken.spoken.build_request(request, stream=spoken.stream)
        input_tokens_max = tokens.input_max(wire.body, context_tokens)
        now = self._clock.now()
        cost_max_usd = self._prices.worst_case(model.name, input_tokens_max, request.output_tokens_max, now)
        _within(request, cost_max_usd)
        intent = CallIntent(
            key=CallKey(revision=request.revision, step=request.step),
            task=request.task,
            recipe=request.recipe,
            provider=provider.name,
            model=model.name,
            simulated=provider.simulated,
            cost_max_usd=cost_max_usd,
            budgets=self._budgets.of(request.task, degradable=request.degradable),
            degraded_by=degraded_by,
        )
        demand = Demand(
            model=model.name,
            input_tokens=_input_estimate(request, model, wire),
            output_tokens_max=request.output_tokens_max,
            lane=request.task.lane,
            tenant=request.task.tenant,
            # Who waits in a queue for a turn gets one; bulk tasks can wait for theirs.
            wait_s_max=FALLBACK_AFTER_S if replaceable and request.task.lane is Lane.LIVE else math.inf,
            pause_s_max=FALLBACK_AFTER_S if replaceable or instead_of else math.inf,
        )
        return CallPlan(
            request=request,
            intent=intent,
            demand=demand,
            provider=provider,
            speech=spoken,
            context_tokens=context_tokens,
            wire=wire,
            trimmed=trimmed,
            planned_at=now,
            instead_of=instead_of,
            scopes=(Scope(ScopeKind.PROVIDER, provider.name), Scope(ScopeKind.MODEL, model.name)),
        )


def _context_tokens(request: ModelRequest, model: ModelRules) -> int:
    """Texts to embed have a window each."""
    return model.context_tokens * (len(request.messages) if model.kind is ModelKind.EMBEDDING else 1)


def _input_estimate(request: ModelRequest, model: ModelRules, wire: WireRequest) -> int:
    """Framing counts as in a chat; texts to embed have none."""
    if model.kind is ModelKind.CHAT:
        return tokens.input_estimate(wire.body)
    return sum(tokens.estimate(message.content) for message in request.messages)


def _suited(request: ModelRequest, model: ModelRules, provider: ProviderRules) -> ModelRequest:
    """Leave out what the model would refuse, and add what only this provider takes."""
    return replace(
        request,
        temperature=request.temperature if model.temperature else None,
        reasoning_effort=request.reasoning_effort if model.reasoning else None,
        reasoning_in_tokens=model.reasoning_in_tokens,
        prompt_cache_key=prompt_cache_key(request, provider),
    )


def _within(request: ModelRequest, cost_max_usd: Decimal) -> None:
    if request.budget_usd is not None and cost_max_usd > request.budget_usd:
        raise BudgetExceededError(
            f"step {request.step!r} with {request.model!r} may cost {cost_max_usd:f} USD, expected at most"
            f" the {request.budget_usd:f} USD that are left; raise the budget or lower output_tokens_max"
        )
