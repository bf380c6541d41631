"""The budgets' file is strict, and each budget is shown once, with what is booked on it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fakes import virtual_time
from processors.errors import StoreUnavailableError
from processors.gateway.budgets import EPOCH, BudgetKey, Standing
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from streams.budgets import WATCH_S, BudgetWatch, InvalidBudgetsError, budget_lines, configured_budgets
from streams.settings import Settings
from streams.store.budget_counters import CounterRow

NOW = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 24, tzinfo=UTC)
EACH_TEAM = BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.DAY, hard_usd=Decimal(5))
SEO = BudgetRule(scope=BudgetScope.TEAM, name="seo", window=BudgetWindow.DAY, hard_usd=Decimal(50))
GOOD = """
budgets:
  - {scope: team, window: day, soft_usd: 0.05, hard_usd: 5}
  - {scope: tenant, name: shop, window: total, hard_usd: 1000}
"""


def budgets_of(folder: Path, text: str) -> tuple[BudgetRule, ...]:
    file = folder / "budgets.yaml"
    file.write_text(text)
    return configured_budgets(Settings(budgets=file))


def a_row(name: str, settled: str = "1", *, simulated: bool = False) -> CounterRow:
    return CounterRow(
        key=BudgetKey(BudgetScope.TEAM, BudgetWindow.DAY, name),
        simulated=simulated,
        started_at=TODAY,
        standing=Standing(settled_usd=Decimal(settled), reserved_usd=Decimal("0.5")),
    )


def test_without_a_file_there_are_no_budgets() -> None:
    assert configured_budgets(Settings(budgets=None)) == ()


def test_amounts_are_exact(tmp_path: Path) -> None:
    team, tenant = budgets_of(tmp_path, GOOD)

    assert (team.soft_usd, team.hard_usd, team.name) == (Decimal("0.05"), Decimal(5), None)
    assert (tenant.name, tenant.window) == ("shop", BudgetWindow.TOTAL)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budgets: [{scope: team, window: day}]", "neither hard_usd nor soft_usd"),
        ("budgets: [{scope: team, window: day, hard_usd: 1, soft_usd: 2}]", "expected at most hard_usd"),
        ("budgets: [{scope: team, window: year, hard_usd: 1}]", "budgets.0.window"),
        ("budgets: [{scope: person, window: day, hard_usd: 1}]", "budgets.0.scope"),
        ("budgets: [{scope: team, window: day, hard_usd: -1}]", "budgets.0.hard_usd"),
        ("budgets: [{scope: team, window: day, hard_usd: 1, hardness: 2}]", "budgets.0.hardness"),
        (
            "budgets: [{scope: team, window: day, hard_usd: 1}, {scope: team, window: day, hard_usd: 2}]",
            "two budgets a day",
        ),
        ("budgets: &a [*a]", "not plain YAML"),
        ("", "does not fit"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidBudgetsError, match="PRESSLINE_BUDGETS") as error:
        budgets_of(tmp_path, text)

    assert told in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidBudgetsError, match="cannot be read"):
        configured_budgets(Settings(budgets=tmp_path / "none.yaml"))


def test_each_name_is_shown_below_the_rule_that_counts_for_it() -> None:
    rows = [a_row("seo"), a_row("other", "2"), a_row("seo", "3", simulated=True)]

    lines = list(budget_lines([EACH_TEAM, SEO], rows, NOW))

    assert [(line.rule, line.name, line.simulated, line.left_usd) for line in lines] == [
        (EACH_TEAM, "other", False, Decimal("2.5")),
        (SEO, "seo", False, Decimal("48.5")),
        (SEO, "seo", True, Decimal("46.5")),
    ]
    assert {line.ends_at for line in lines} == {datetime(2026, 11, 25, tzinfo=UTC)}


def test_a_budget_that_nothing_is_booked_on_is_shown_whole() -> None:
    total = BudgetRule(scope=BudgetScope.TENANT, window=BudgetWindow.TOTAL, soft_usd=Decimal(7))

    each, seo, tenants = budget_lines([EACH_TEAM, SEO, total], [], NOW)

    assert (each.name, each.left_usd, each.ends_at) == (None, Decimal(5), datetime(2026, 11, 25, tzinfo=UTC))
    assert (seo.name, seo.left_usd) == ("seo", Decimal(50))
    assert (tenants.left_usd, tenants.ends_at) == (Decimal(7), None)
    assert EPOCH < NOW


class FakeCounters:
    """Counters that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.expired = 0

    async def current(self, rules: Sequence[BudgetRule]) -> Sequence[CounterRow]:
        if self.away:
            raise StoreUnavailableError("away")
        return [a_row(rule.name or "each", str(self.expired)) for rule in rules]

    async def expire(self) -> int:
        self.expired += 1
        return 0


def test_a_watch_looks_again_and_again_and_waits_for_a_store_that_is_away() -> None:
    async def scenario() -> None:
        counters = FakeCounters()
        watch = BudgetWatch([SEO], counters)
        running = asyncio.ensure_future(watch.run())
        await asyncio.sleep(WATCH_S / 2)
        assert [row.standing.settled_usd for row in watch.rows] == [Decimal(1)]

        counters.away = True
        await asyncio.sleep(2 * WATCH_S)
        assert [row.standing.settled_usd for row in watch.rows] == [Decimal(1)]

        counters.away = False
        await asyncio.sleep(WATCH_S)
        assert [row.standing.settled_usd for row in watch.rows] == [Decimal(4)]
        running.cancel()

    virtual_time.run(scenario())


def test_a_watch_of_no_budgets_ends() -> None:
    asyncio.run(BudgetWatch([], FakeCounters()).run())
