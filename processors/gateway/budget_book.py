"""The budgets of a worker's calls, and what they have just refused: nothing is asked in vain."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from processors.clock import Clock
from processors.gateway.budgets import Budget, BudgetKey, Refused, Verdict, applying, window_end
from processors.gateway.journal import CallIntent
from schemas.budgets import BudgetRule
from schemas.task import Task

RECALL_S = 5.0
"""So long a refusal holds for calls like it. Calls that end meanwhile may have given money back."""

RECALLED_MAX = 10_000


class BudgetBook:
    """Says which budgets a call is booked on, and recalls refusals.

    A call takes of its provider's limits before it asks the journal. Without the recollection each of many
    thousand records of an empty budget would take quota that others could use.

    Args:
        rules: the budgets; none: only tasks have their own.
        clock: the time of day.
    """

    def __init__(self, rules: Iterable[BudgetRule], clock: Clock) -> None:
        self._rules = tuple(rules)
        self._clock = clock
        self._recalled: dict[_Place, _Recalled] = {}

    def of(self, task: Task, *, degradable: bool) -> tuple[Budget, ...]:
        """Return the budgets of a call for that task; soft limits only where it can be made cheaper."""
        budgets = applying(self._rules, task)
        return budgets if degradable else tuple(budget.without_soft() for budget in budgets)

    def note(self, intent: CallIntent, refused: Refused) -> None:
        """Recall that this was refused, for RECALL_S seconds or until the window ends."""
        until = self._clock.now() + timedelta(seconds=RECALL_S)
        end = window_end(refused.budget.key.window, refused.started_at)
        if len(self._recalled) >= RECALLED_MAX:
            self._recalled.pop(next(iter(self._recalled)))
        self._recalled[_Place(refused.budget.key, intent.simulated, refused.verdict)] = _Recalled(
            refused, intent.cost_max_usd, until if end is None else min(until, end)
        )

    def recall(self, intent: CallIntent) -> Refused | None:
        """Return the refusal that this call would surely get, too; None: ask."""
        for verdict in (Verdict.STRAINED, Verdict.EXHAUSTED):
            for budget in intent.budgets:
                found = self._recalled.get(_Place(budget.key, intent.simulated, verdict))
                if found is not None and self._holds(found, intent, budget):
                    return found.refused
        return None

    def _holds(self, found: "_Recalled", intent: CallIntent, budget: Budget) -> bool:
        if self._clock.now() >= found.until:
            return False
        if found.refused.verdict is Verdict.STRAINED:
            return budget.soft_usd is not None
        return intent.cost_max_usd >= found.need_usd


class _Place(NamedTuple):
    key: BudgetKey
    simulated: bool
    verdict: Verdict


class _Recalled(NamedTuple):
    refused: Refused
    need_usd: Decimal
    until: datetime
