"""Budgets of a deployment: read from their file, watched while a worker runs, shown to whoever asks."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import orjson
from pydantic import ValidationError

from processors import strict_yaml
from processors.errors import StoreUnavailableError
from processors.gateway.budgets import BudgetKey, Standing, window_end, window_start
from schemas.budgets import BudgetRule, BudgetRules, BudgetScope, BudgetWindow
from streams.settings import Settings
from streams.store.budget_counters import CounterRow

WATCH_S = 10.0
ERRORS_SHOWN_MAX = 5

log = logging.getLogger(__name__)


class InvalidBudgetsError(ValueError):
    """The budgets cannot be used; the text says where and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """How one budget stands in its present window.

    Attributes:
        rule: the rule that it comes from.
        name: whose it is; None of a rule for each name when nothing is booked yet.
        simulated: whether of simulated calls, which are booked apart.
        standing: what is booked.
        ends_at: end of the window, or None.
    """

    rule: BudgetRule
    name: str | None
    simulated: bool
    standing: Standing
    ends_at: datetime | None

    @property
    def left_usd(self) -> Decimal:
        """What is left up to the hard limit, else up to the soft one; below 0 when that is passed."""
        limit = self.rule.hard_usd if self.rule.hard_usd is not None else self.rule.soft_usd
        return (limit or Decimal(0)) - self.standing.booked_usd


class BudgetCounters(Protocol):
    """What is booked."""

    async def current(self, rules: Sequence[BudgetRule]) -> Sequence[CounterRow]:
        """Return the counters that the rules speak of; raises StoreUnavailableError."""

    async def expire(self) -> int:
        """Book what dead workers left open; raises StoreUnavailableError."""


class BudgetWatch:
    """Knows how the budgets stand, WATCH_S seconds ago at most; lets dead workers' reservations expire.

    Args:
        rules: the budgets.
        counters: what is booked.
    """

    def __init__(self, rules: Sequence[BudgetRule], counters: BudgetCounters) -> None:
        self._rules = rules
        self._counters = counters
        self._rows: Sequence[CounterRow] = ()

    @property
    def rows(self) -> Sequence[CounterRow]:
        """The counters as last seen."""
        return self._rows

    async def run(self) -> None:
        """Look every WATCH_S seconds until cancelled; an absent database is waited for."""
        while self._rules:  # ends by cancellation: the worker's life is its bound
            try:
                await self._counters.expire()
                self._rows = await self._counters.current(self._rules)
            except StoreUnavailableError as error:
                log.warning("budgets are not watched: %s", error)
            await asyncio.sleep(WATCH_S)


def configured_budgets(settings: Settings) -> tuple[BudgetRule, ...]:
    """Return the settings' budgets; none where no file is set.

    Raises:
        InvalidBudgetsError: the file cannot be read or used.
    """
    return () if settings.budgets is None else _load(settings.budgets)


def budget_lines(
    rules: Sequence[BudgetRule], rows: Sequence[CounterRow], now: datetime
) -> Iterator[BudgetLine]:
    """Yield every budget with what is booked on it, in the order of the rules.

    A rule for each name stands once for each name that has something booked and no rule of its own.
    """
    named = {(rule.scope, rule.window, rule.name) for rule in rules}
    for rule in rules:
        mine = [row for row in rows if _is_of(rule, row.key, named)]
        for row in mine:
            ends_at = window_end(rule.window, row.started_at)
            yield BudgetLine(
                rule=rule, name=row.key.name, simulated=row.simulated, standing=row.standing, ends_at=ends_at
            )
        if not mine:
            ends_at = window_end(rule.window, window_start(rule.window, now))
            yield BudgetLine(rule=rule, name=rule.name, simulated=False, standing=Standing(), ends_at=ends_at)


def _is_of(
    rule: BudgetRule, key: BudgetKey, named: set[tuple[BudgetScope, BudgetWindow, str | None]]
) -> bool:
    if (key.scope, key.window) != (rule.scope, rule.window):
        return False
    return key.name == rule.name if rule.name is not None else (key.scope, key.window, key.name) not in named


def _load(path: Path) -> tuple[BudgetRule, ...]:
    try:
        content = strict_yaml.load(path.read_bytes())
        # By way of JSON: it has no dates or tuples, and an amount written 0.05 becomes that very Decimal.
        return BudgetRules.model_validate_json(orjson.dumps(content)).budgets
    except OSError as error:
        raise InvalidBudgetsError(
            f"{path} cannot be read: {error.strerror}; look at PRESSLINE_BUDGETS"
        ) from None
    except ValidationError as error:
        raise InvalidBudgetsError(
            f"{path} does not fit: {_summary(error)}; look at PRESSLINE_BUDGETS"
        ) from None
    except (ValueError, orjson.JSONEncodeError) as error:
        raise InvalidBudgetsError(f"{path} is not plain YAML: {error}; look at PRESSLINE_BUDGETS") from None


def _summary(error: ValidationError) -> str:
    details = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [f"{'.'.join(map(str, d['loc'])) or 'whole'}: {d['msg']}" for d in details[:ERRORS_SHOWN_MAX]]
    return "; ".join(shown)
