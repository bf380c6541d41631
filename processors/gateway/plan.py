"""A call before it is made: what goes out, what it may cost at most, what it takes of the limits."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from processors.clock import Clock
from processors.errors import BudgetExceededError
from processors.gateway import tokens
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import Catalogue
from processors.gateway.formats import FORMATS
from processors.gateway.journal import CallIntent, CallKey
from processors.gateway.limits import Demand
from processors.gateway.prices import Prices
from processors.gateway.wire import WireRequest
from processors.model import CallPhase, CallState, ModelRequest
from schemas.catalogue import ProviderRules
from schemas.scope import Scope, ScopeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """A call that may be made.

    Attributes:
        request: what is asked.
        intent: what is booked for it.
        demand: what it takes of the provider's limits.
        provider: who answers.
        context_tokens: the model's window.
        wire: what goes out, but for the headers that name the attempt.
        planned_at: the moment whose prices hold, for the worst case as for the call itself.
        scopes: its provider and its model.
    """

    request: ModelRequest
    intent: CallIntent
    demand: Demand
    provider: ProviderRules
    context_tokens: int
    wire: WireRequest
    planned_at: datetime
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

    def plan(self, request: ModelRequest, key: CallKey, *, degraded_by: str | None = None) -> CallPlan:
        """Return the call.

        Args:
            request: what is asked.
            key: under which name it is journaled.
            degraded_by: the soft budget that made it cheaper, or None.

        Raises:
            UnpricedModelError: the catalogue lacks the model, or its price.
            BudgetExceededError: its worst case is more than `request.budget_usd`.
        """
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
            budgets=self._budgets.of(request.task, degradable=request.cheaper is not None),
            degraded_by=degraded_by,
        )
        demand = Demand(
            model=model.name,
            input_tokens=tokens.input_estimate(wire.body),
            output_tokens_max=request.output_tokens_max,
            lane=request.task.lane,
            tenant=request.task.tenant,
        )
        return CallPlan(
            request=request,
            intent=intent,
            demand=demand,
            provider=provider,
            context_tokens=model.context_tokens,
            wire=wire,
            planned_at=now,
            scopes=(Scope(ScopeKind.PROVIDER, provider.name), Scope(ScopeKind.MODEL, model.name)),
        )


def _within(request: ModelRequest, cost_max_usd: Decimal) -> None:
    if request.budget_usd is not None and cost_max_usd > request.budget_usd:
        raise BudgetExceededError(
            f"step {request.step!r} with {request.model!r} may cost {cost_max_usd:f} USD, expected at most"
            f" the {request.budget_usd:f} USD that are left; raise the budget or lower output_tokens_max"
        )
