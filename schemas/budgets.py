"""Budgets: what teams, features, batches, tasks and tenants may spend on model calls, and in which time."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Message

BUDGETS_MAX = 100

Usd = Annotated[Decimal, Field(ge=0, le=1_000_000_000)]
"""An amount in US dollars."""

BudgetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/#-]{0,400}$")]
"""Whose budget: a tenant, team, feature or batch id; of a task `tenant#task_id`."""


class BudgetScope(StrEnum):
    """What a call is booked on."""

    TENANT = "tenant"
    TEAM = "team"
    FEATURE = "feature"
    BATCH = "batch"
    TASK = "task"


class BudgetWindow(StrEnum):
    """The time in which an amount may be spent, in UTC. A week begins on Monday; `total` never ends."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class BudgetRule(Message):
    """One budget, or one for each name of a scope."""

    scope: BudgetScope
    name: BudgetName | None = Field(
        None,
        description="None: the same budget for each name that no other rule of this scope and window has.",
    )
    window: BudgetWindow
    hard_usd: Usd | None = Field(
        None, description="Never passed: a call whose worst case does not fit any more is not made."
    )
    soft_usd: Usd | None = Field(
        None, description="From here on calls are made cheaper where the recipe allows it."
    )

    @model_validator(mode="after")
    def _limited(self) -> "BudgetRule":
        if self.hard_usd is None and self.soft_usd is None:
            raise ValueError("neither hard_usd nor soft_usd is given, expected one of them or both")
        if self.hard_usd is not None and self.soft_usd is not None and self.soft_usd > self.hard_usd:
            raise ValueError(f"soft_usd is {self.soft_usd:f}, expected at most hard_usd ({self.hard_usd:f})")
        return self


class BudgetRules(Message):
    """All budgets."""

    budgets: tuple[BudgetRule, ...] = Field((), max_length=BUDGETS_MAX)

    @model_validator(mode="after")
    def _unique(self) -> "BudgetRules":
        seen: set[tuple[str, str | None, str]] = set()
        for rule in self.budgets:
            key = (rule.scope, rule.name, rule.window)
            if key in seen:
                raise ValueError(
                    f"{rule.scope} {rule.name or '(each)'} has two budgets a {rule.window}, expected one"
                )
            seen.add(key)
        return self
