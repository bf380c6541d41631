"""Budgets: which of them a call is booked on, what they have left for it, and what follows when nothing is.

The rules only. Counting is the journal's: an open intent is the reservation, its outcome settles it, and both
are one transaction with the counters (`CallJournal.open`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Self

from processors.errors import BudgetExceededError, BudgetExhaustedError, ProcessingError
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from schemas.task import Task

BUDGET_WAIT_S_MAX = 7 * 86_400.0
"""A window that ends later is not waited for: the record ends, and is replayed once there is money."""

RECHECK_S_MAX = 3_600.0
"""A record that waits asks again after this time, as somebody may have raised the budget."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of the window `total`."""


class Verdict(StrEnum):
    """What a budget says to a call. Every verdict but `fits` is a refusal."""

    FITS = "fits"
    STRAINED = "strained"
    EXHAUSTED = "exhausted"


class BudgetKey(NamedTuple):
    """Which counter; its order is the order in which counters are locked."""

    scope: BudgetScope
    window: BudgetWindow
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One budget that a call is booked on.

    Attributes:
        key: which counter.
        hard_usd: what is never passed, or None.
        soft_usd: from where on the call is refused as `strained`; None: it cannot be made cheaper.
    """

    key: BudgetKey
    hard_usd: Decimal | None
    soft_usd: Decimal | None

    def __str__(self) -> str:
        return f"{self.key.scope} {self.key.name}, {self.key.window}"

    def without_soft(self) -> Self:
        """Return the budget as a call sees it that cannot be made cheaper."""
        return self if self.soft_usd is None else replace(self, soft_usd=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is booked on a counter in its present window, in US dollars.

    Attributes:
        settled_usd: price of closed calls; worst case where the outcome is unknown.
        reserved_usd: worst case of open calls.
    """

    settled_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)

    @property
    def booked_usd(self) -> Decimal:
        """Both together."""
        return self.settled_usd + self.reserved_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A budget refused a call: nothing was opened and nothing reserved.

    Attributes:
        verdict: `strained`: try a cheaper call; `exhausted`: it does not fit.
        budget: which one.
        standing: how it stood.
        started_at: start of its window.
    """

    verdict: Verdict
    budget: Budget
    standing: Standing
    started_at: datetime


def applying(rules: Iterable[BudgetRule], task: Task) -> tuple[Budget, ...]:
    """Return the budgets that the task's calls are booked on, in the order of their keys.

    A rule with a name goes before one without, in the same scope and window.
    """
    names = names_of(task)
    found: dict[BudgetKey, BudgetRule] = {}
    for rule in rules:
        name = names[rule.scope]
        if name is None or rule.name not in (None, name):
            continue
        key = BudgetKey(rule.scope, rule.window, name)
        if rule.name is not None or key not in found:
            found[key] = rule
    return tuple(
        Budget(key=key, hard_usd=found[key].hard_usd, soft_usd=found[key].soft_usd) for key in sorted(found)
    )


def names_of(task: Task) -> dict[BudgetScope, str | None]:
    """Return what the task's calls are booked on by scope; two tenants' tasks of one id are two tasks."""
    return {
        BudgetScope.TENANT: task.tenant,
        BudgetScope.TEAM: task.team,
        BudgetScope.FEATURE: task.feature,
        BudgetScope.BATCH: task.batch_id,
        BudgetScope.TASK: f"{task.tenant}#{task.task_id}",
    }


def verdict(budget: Budget, standing: Standing, need_usd: Decimal) -> Verdict:
    """Return what the budget says to a call of that worst case.

    With a soft limit the call is first refused as strained, also where only the hard one stops it: a cheaper
    call may still fit.
    """
    fits = budget.hard_usd is None or standing.booked_usd + need_usd <= budget.hard_usd
    if budget.soft_usd is not None and (standing.booked_usd >= budget.soft_usd or not fits):
        return Verdict.STRAINED
    return Verdict.FITS if fits else Verdict.EXHAUSTED


def window_start(window: BudgetWindow, moment: datetime) -> datetime:
    """Return the start (UTC) of the window that `moment` (aware) is in."""
    if window is BudgetWindow.TOTAL:
        return EPOCH
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if window is BudgetWindow.HOUR:
        return hour
    day = hour.replace(hour=0)
    if window is BudgetWindow.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if window is BudgetWindow.MONTH else day


def window_end(window: BudgetWindow, start: datetime) -> datetime | None:
    """Return the end of the window that begins at `start`: the next one's start. None: it never ends."""
    match window:
        case BudgetWindow.TOTAL:
            return None
        case BudgetWindow.HOUR:
            return start + timedelta(hours=1)
        case BudgetWindow.DAY:
            return start + timedelta(days=1)
        case BudgetWindow.WEEK:
            return start + timedelta(weeks=1)
        case BudgetWindow.MONTH:
            return window_start(window, start + timedelta(days=31))


def refusal(refused: Refused, need_usd: Decimal, now: datetime) -> ProcessingError:
    """Return the error of a call that the budget has refused for good.

    Calls that are under way mostly cost less than is reserved for them, so what only they stop is tried again
    soon. What the window's end can help waits for that. The rest ends: in this window there is no more money.

    Args:
        refused: by which budget.
        need_usd: the call's worst case.
        now: present time (aware).
    """
    hard_usd, end = (
        refused.budget.hard_usd or Decimal(0),
        window_end(refused.budget.key.window, refused.started_at),
    )
    text = (
        f"the budget of {refused.budget} has {refused.standing.settled_usd:f} USD spent and"
        f" {refused.standing.reserved_usd:f} reserved of {hard_usd:f}, expected {need_usd:f} to be left;"
        f" {'the window never ends' if end is None else f'the window ends at {end.isoformat()}'}; raise it"
    )
    if need_usd > hard_usd:
        return BudgetExceededError(text)
    if refused.standing.settled_usd + need_usd <= hard_usd:
        return BudgetExhaustedError(text)
    left_s = None if end is None else max((end - now).total_seconds(), 0.0)
    if left_s is None or left_s > BUDGET_WAIT_S_MAX:
        return BudgetExceededError(text)
    return BudgetExhaustedError(text, retry_after_s=min(left_s, RECHECK_S_MAX))
