"""Which budgets a call is booked on, their windows, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_task
from processors.errors import BudgetExceededError, BudgetExhaustedError
from processors.gateway.budgets import (
    BUDGET_WAIT_S_MAX,
    RECHECK_S_MAX,
    Budget,
    BudgetKey,
    Refused,
    Standing,
    Verdict,
    applying,
    refusal,
    verdict,
    window_end,
    window_start,
)
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow

USD = st.decimals(0, 1_000, places=4)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.timezones())  # noqa: DTZ001
ENDING = st.sampled_from([window for window in BudgetWindow if window is not BudgetWindow.TOTAL])
LENGTHS = {
    BudgetWindow.HOUR: (timedelta(hours=1), timedelta(hours=1)),
    BudgetWindow.DAY: (timedelta(days=1), timedelta(days=1)),
    BudgetWindow.WEEK: (timedelta(days=7), timedelta(days=7)),
    BudgetWindow.MONTH: (timedelta(days=28), timedelta(days=31)),
}
TUESDAY = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)


def a_rule(**fields: Any) -> BudgetRule:
    defaults = {"scope": BudgetScope.TEAM, "window": BudgetWindow.DAY, "hard_usd": Decimal(1)}
    return BudgetRule(**{**defaults, **fields})


def a_budget(
    *, hard: Decimal | None = None, soft: Decimal | None = None, window: BudgetWindow = BudgetWindow.DAY
) -> Budget:
    return Budget(key=BudgetKey(BudgetScope.TEAM, window, "content"), hard_usd=hard, soft_usd=soft)


@given(MOMENTS, ENDING)
def test_every_moment_is_in_exactly_one_window(moment: datetime, window: BudgetWindow) -> None:
    start = window_start(window, moment)
    end = window_end(window, start)

    assert end is not None
    assert start <= moment < end
    assert window_start(window, end) == end
    assert window_start(window, end - timedelta(microseconds=1)) == start
    shortest, longest = LENGTHS[window]
    assert shortest <= end - start <= longest


@given(MOMENTS)
def test_days_begin_at_midnight_in_utc_and_weeks_on_monday(moment: datetime) -> None:
    assert window_start(BudgetWindow.DAY, moment).isoformat().endswith("T00:00:00+00:00")
    assert window_start(BudgetWindow.WEEK, moment).strftime("%a %H:%M:%S") == "Mon 00:00:00"
    assert window_start(BudgetWindow.MONTH, moment).day == 1


@given(MOMENTS, MOMENTS)
def test_the_window_total_is_one(one: datetime, other: datetime) -> None:
    assert window_start(BudgetWindow.TOTAL, one) == window_start(BudgetWindow.TOTAL, other)
    assert window_end(BudgetWindow.TOTAL, window_start(BudgetWindow.TOTAL, one)) is None


@given(USD, USD, USD, USD)
def test_what_fits_never_passes_the_hard_limit(
    hard: Decimal, settled: Decimal, reserved: Decimal, need: Decimal
) -> None:
    standing = Standing(settled_usd=settled, reserved_usd=reserved)

    said = verdict(a_budget(hard=hard), standing, need)

    assert (said is Verdict.FITS) == (standing.booked_usd + need <= hard)
    assert said is not Verdict.STRAINED


@given(USD, USD, USD, USD)
def test_with_a_soft_limit_the_first_word_is_to_be_cheaper(
    soft: Decimal, more: Decimal, booked: Decimal, need: Decimal
) -> None:
    budget, standing = a_budget(hard=soft + more, soft=soft), Standing(settled_usd=booked)

    first, then = verdict(budget, standing, need), verdict(budget.without_soft(), standing, need)

    assert first in (Verdict.FITS, Verdict.STRAINED)
    assert then in (Verdict.FITS, Verdict.EXHAUSTED)
    assert (
        first is Verdict.STRAINED
        if booked >= soft
        else first is not Verdict.STRAINED or then is Verdict.EXHAUSTED
    )


@given(USD, USD, st.lists(st.tuples(USD, st.floats(0, 1)), max_size=30))
def test_calls_that_cost_at_most_their_worst_case_never_pass_the_limit(
    hard: Decimal, soft: Decimal, calls: list[tuple[Decimal, float]]
) -> None:
    budget, standing = a_budget(hard=max(hard, soft), soft=soft).without_soft(), Standing()
    for need, part in calls:
        if verdict(budget, standing, need) is Verdict.FITS:
            reserved = replace(standing, reserved_usd=standing.reserved_usd + need)
            assert reserved.booked_usd <= max(hard, soft)
            standing = replace(standing, settled_usd=standing.settled_usd + need * Decimal(part))

    assert standing.booked_usd <= max(hard, soft)


def test_a_call_is_booked_on_every_scope_that_has_a_rule() -> None:
    task = a_task(task_id="t", tenant="shop", team="seo", feature="routes", batch_id="load-1")
    names = {
        BudgetScope.TENANT: "shop",
        BudgetScope.TEAM: "seo",
        BudgetScope.FEATURE: "routes",
        BudgetScope.BATCH: "load-1",
        BudgetScope.TASK: "shop#t",
    }

    found = applying([a_rule(scope=scope) for scope in BudgetScope], task)

    assert {budget.key.scope: budget.key.name for budget in found} == names


def test_a_rule_for_another_name_does_not_apply() -> None:
    assert applying([a_rule(name="other")], a_task(team="seo")) == ()


@pytest.mark.parametrize("order", [1, -1])
def test_the_rule_with_the_name_goes_before_the_one_for_each(order: int) -> None:
    rules = [a_rule(hard_usd=Decimal(1)), a_rule(name="seo", hard_usd=Decimal(50))][::order]

    [mine], [other] = applying(rules, a_task(team="seo")), applying(rules, a_task(team="other"))

    assert (mine.hard_usd, other.hard_usd) == (Decimal(50), Decimal(1))


@given(
    st.permutations([a_rule(scope=scope, window=window) for scope in BudgetScope for window in BudgetWindow])
)
def test_budgets_come_in_one_order_whatever_the_files(rules: list[BudgetRule]) -> None:
    keys = [budget.key for budget in applying(rules, a_task())]

    assert keys == sorted(keys)


def test_two_tenants_tasks_of_one_id_are_two() -> None:
    rule = a_rule(scope=BudgetScope.TASK)

    [one], [other] = (applying([rule], a_task(tenant=tenant)) for tenant in ("a", "b"))

    assert one.key != other.key


def a_refusal(
    window: BudgetWindow, *, settled: str = "9", reserved: str = "0", need: str = "2", now: datetime = TUESDAY
) -> Exception:
    refused = Refused(
        verdict=Verdict.EXHAUSTED,
        budget=a_budget(hard=Decimal(10), window=window),
        standing=Standing(settled_usd=Decimal(settled), reserved_usd=Decimal(reserved)),
        started_at=window_start(window, now),
    )
    return refusal(refused, Decimal(need), now)


def test_a_refusal_says_all_that_one_has_to_know() -> None:
    text = str(a_refusal(BudgetWindow.DAY, settled="9.1", reserved="0.4"))

    for part in ("team content, day", "9.1", "0.4", "10", "2", "2026-11-25T00:00:00+00:00"):
        assert part in text


@pytest.mark.parametrize(
    ("window", "waits_s"),
    [(BudgetWindow.HOUR, 1800.0), (BudgetWindow.DAY, RECHECK_S_MAX), (BudgetWindow.WEEK, RECHECK_S_MAX)],
)
def test_a_window_that_ends_soon_is_waited_for(window: BudgetWindow, waits_s: float) -> None:
    error = a_refusal(window)

    assert isinstance(error, BudgetExhaustedError)
    assert error.retry_after_s == waits_s


def test_a_window_that_ends_late_or_never_is_not_waited_for() -> None:
    early = datetime(2026, 11, 2, tzinfo=UTC)
    assert (datetime(2026, 12, 1, tzinfo=UTC) - early).total_seconds() > BUDGET_WAIT_S_MAX

    assert isinstance(a_refusal(BudgetWindow.MONTH, now=early), BudgetExceededError)
    assert isinstance(a_refusal(BudgetWindow.MONTH), BudgetExhaustedError)
    assert isinstance(a_refusal(BudgetWindow.TOTAL), BudgetExceededError)


@pytest.mark.parametrize("window", BudgetWindow)
def test_what_only_calls_under_way_stop_is_tried_again_soon(window: BudgetWindow) -> None:
    error = a_refusal(window, settled="1", reserved="8")

    assert isinstance(error, BudgetExhaustedError)
    assert error.retry_after_s is None


@pytest.mark.parametrize("window", BudgetWindow)
def test_a_call_larger_than_the_whole_budget_waits_for_nothing(window: BudgetWindow) -> None:
    assert isinstance(a_refusal(window, settled="0", need="10.01"), BudgetExceededError)
