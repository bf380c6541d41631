"""Which model is asked when one does not answer, and what is raised when none does."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_task
from fakes import virtual_time
from fakes.chain_rig import CHAINED, ChainRig
from fakes.transport import a_completion, a_problem
from processors.breakers import BreakerRules
from processors.errors import (
    PROVIDER_FAULTS,
    AbandonedError,
    BudgetExceededError,
    BudgetExhaustedError,
    DeadlinePassedError,
    LimitWaitError,
    ProcessingError,
    ProviderMalformedError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ScopeClosedError,
    StoreUnavailableError,
)
from processors.gateway.fallback import FALLBACK_AFTER_S, outcome
from processors.model import Cheaper, ModelAnswer
from schemas.base import Lane
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from schemas.failures import FailureReason
from schemas.scope import Scope, ScopeKind

LIVE = a_task(lane=Lane.LIVE)
DOWN = ProviderUnavailableError("down", billed=False)
LATE = ProviderTimeoutError("late")
MODEL_A = Scope(ScopeKind.MODEL, "a")
PROVIDER_P = Scope(ScopeKind.PROVIDER, "p")


@pytest.mark.parametrize(
    ("reply", "reason", "state"),
    [
        (a_problem(500), FailureReason.PROVIDER_UNAVAILABLE, "failed"),
        (LATE, FailureReason.PROVIDER_TIMEOUT, "unknown"),
        (a_completion(None), FailureReason.PROVIDER_MALFORMED, "unknown"),
        (a_problem(401), FailureReason.PROVIDER_REJECTED, "failed"),
        (a_problem(500, x_should_retry="false"), FailureReason.PROVIDER_REJECTED, "failed"),
        (a_problem(429, code="insufficient_quota"), FailureReason.PROVIDER_QUOTA, "failed"),
        (a_problem(429, retry_after="6"), FailureReason.PROVIDER_RATE_LIMITED, "failed"),
        (a_problem(429), FailureReason.PROVIDER_RATE_LIMITED, "failed"),
    ],
)
async def test_what_lies_with_the_provider_leads_to_the_next_model(
    reply: Any, reason: FailureReason, state: str
) -> None:
    rig = ChainRig(a=reply)

    recorded = (await rig.complete()).recorded

    assert (recorded.provider, recorded.model) == ("q", "b")
    assert (recorded.fallback_from, recorded.fallback_reason) == ("a", reason)
    assert recorded.call_id.endswith("/write/2")
    assert rig.booked() == [("a", state), ("b", "answered")]


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (a_problem(400), ProviderRejectedError),
        (a_problem(404), ProviderRejectedError),
        (a_completion(None, refusal="no"), ProviderRefusedError),
        (a_problem(429, retry_after="5"), ProviderRateLimitedError),
        (ZeroDivisionError("a bug"), ZeroDivisionError),
    ],
)
async def test_what_lies_with_the_request_and_a_short_wait_are_raised(
    reply: Any, raised: type[Exception]
) -> None:
    rig = ChainRig(a=reply)

    with pytest.raises(raised):
        await rig.complete()

    assert rig.transport.asked == ["a"]


async def test_a_task_whose_time_or_money_is_over_asks_nobody() -> None:
    rig = ChainRig()
    late = a_task(deadline=rig.clock.now())

    with pytest.raises(DeadlinePassedError):
        await rig.complete(task=late)
    with pytest.raises(BudgetExceededError):
        await rig.complete(budget_usd=Decimal("0.0001"))
    with pytest.raises(AbandonedError):
        await rig.complete(abandoned=lambda: True)

    assert rig.transport.asked == []


async def test_a_store_that_is_away_is_no_fault_of_the_model() -> None:
    rig = ChainRig(a=DOWN)
    rig.journal.error = StoreUnavailableError("away")

    with pytest.raises(StoreUnavailableError):
        await rig.complete()

    assert rig.transport.asked == []


async def test_the_models_are_asked_in_their_order() -> None:
    rig = ChainRig(a=DOWN, b=LATE)

    recorded = (await rig.complete()).recorded

    assert rig.transport.asked == ["a", "b", "c"]
    assert (recorded.model, recorded.fallback_from) == ("c", "a")
    assert recorded.fallback_reason == FailureReason.PROVIDER_UNAVAILABLE


async def test_an_answer_of_a_fallback_is_replayed_with_what_it_stands_for() -> None:
    rig = ChainRig(a=DOWN)
    first = await rig.complete()

    assert await rig.complete() == first
    assert rig.transport.asked == ["a", "b"]


async def test_a_closed_model_is_not_asked() -> None:
    rig = ChainRig()
    rig.gates.close(PROVIDER_P, "operator", "an outage")

    recorded = (await rig.complete()).recorded

    assert (recorded.model, recorded.fallback_reason) == ("b", FailureReason.SCOPE_CLOSED)
    assert rig.booked() == [("b", "answered")]


async def test_after_a_few_failures_the_next_model_is_asked_at_once() -> None:
    rig = ChainRig(a=LATE)
    for number in range(6):
        await rig.complete(revision=f"{number:020}")

    assert rig.transport.asked.count("a") == BreakerRules(outcomes=4).outcomes
    assert rig.transport.asked.count("b") == 6


async def test_a_model_that_fails_alone_leaves_its_providers_other_models_open() -> None:
    rig = ChainRig(a=DOWN, b=DOWN)
    for number in range(12):
        await rig.complete(revision=f"{number:020}")

    assert rig.transport.asked.count("c") == 12
    assert MODEL_A in rig.breakers.open
    assert PROVIDER_P not in rig.breakers.open


@pytest.mark.parametrize("lane", Lane)
def test_a_long_pause_of_the_provider_is_not_sat_out(lane: Lane) -> None:
    async def scenario() -> tuple[str, float]:
        rig = ChainRig()
        rig.limits["p"].pause(FALLBACK_AFTER_S + 1)
        return await _timed(rig, lane)

    assert _rounded(scenario()) == ("b", 0.0)


@pytest.mark.parametrize("lane", Lane)
def test_who_waits_already_when_the_provider_pauses_goes_over(lane: Lane) -> None:
    async def scenario() -> tuple[str, float]:
        rig = ChainRig()
        rig.limits["p"].pause(3.0)
        asyncio.get_running_loop().call_later(2.0, rig.limits["p"].pause, 60.0)
        return await _timed(rig, lane)

    model, took_s = virtual_time.run(scenario())
    assert model == "b"
    assert took_s <= 3.1


@pytest.mark.parametrize("lane", Lane)
def test_a_short_pause_is_waited_for(lane: Lane) -> None:
    async def scenario() -> tuple[str, float]:
        rig = ChainRig()
        rig.limits["p"].pause(4.0)
        return await _timed(rig, lane)

    assert _rounded(scenario()) == ("a", 4.0)


@pytest.mark.parametrize(("lane", "model", "waited_s"), [(Lane.LIVE, "b", 5.0), (Lane.BULK, "a", 60.0)])
def test_a_queue_is_left_by_live_tasks_and_waited_for_by_bulk_ones(
    lane: Lane, model: str, waited_s: float
) -> None:
    async def scenario() -> tuple[str, float]:
        rig = ChainRig()
        rig.limits["p"].set_share(0.0)
        asyncio.get_running_loop().call_later(60.0, rig.limits["p"].set_share, 1.0)
        return await _timed(rig, lane)

    assert _rounded(scenario()) == (model, waited_s)


def _rounded(scenario: Coroutine[Any, Any, tuple[str, float]]) -> tuple[str, float]:
    model, took_s = virtual_time.run(scenario)
    return model, round(took_s, 1)


async def _timed(rig: ChainRig, lane: Lane) -> tuple[str, float]:
    began_s = asyncio.get_running_loop().time()
    answer = await rig.complete(task=a_task(lane=lane))
    return answer.recorded.model, asyncio.get_running_loop().time() - began_s


def test_when_all_pause_the_shortest_pause_is_what_is_raised() -> None:
    async def scenario() -> float | None:
        rig = ChainRig()
        rig.limits["p"].pause(20.0)
        rig.limits["q"].pause(200.0)
        with pytest.raises(LimitWaitError) as raised:
            await rig.complete()
        assert rig.transport.asked == []
        return raised.value.retry_after_s

    assert virtual_time.run(scenario()) == pytest.approx(20.0, abs=0.1)


async def test_a_fallback_whose_price_or_window_does_not_fit_is_passed_over() -> None:
    rig = ChainRig(a=DOWN)

    recorded = (await rig.complete(budget_usd=Decimal("0.005"))).recorded

    assert recorded.model == "c"
    assert rig.transport.asked == ["a", "c"]


async def test_what_may_have_been_billed_is_not_spent_twice_on_the_tasks_budget() -> None:
    rig = ChainRig(a=LATE, b=DOWN)
    worst = (await _worst_case("a"), await _worst_case("c"))

    with pytest.raises(ProviderTimeoutError):
        await rig.complete(budget_usd=sum(worst) - Decimal("0.000001"))

    assert rig.transport.asked == ["a"]
    assert (await ChainRig(a=LATE).complete(budget_usd=Decimal(sum(worst)))).recorded.model == "c"


async def _worst_case(model: str) -> Decimal:
    rig = ChainRig()
    await rig.complete(model=model)
    return rig.calls()[0].intent.cost_max_usd


async def test_a_fallback_that_the_budget_refuses_does_not_end_the_task() -> None:
    rule = BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.HOUR, hard_usd=Decimal("0.002"))
    only_b = CHAINED.rules.models[0].model_copy(update={"fallbacks": ("b",)})
    models = (only_b, *CHAINED.rules.models[1:])
    rig = ChainRig(type(CHAINED)(CHAINED.rules.model_copy(update={"models": models})), (rule,), a=DOWN)

    with pytest.raises(ProviderUnavailableError):
        await rig.complete(output_tokens_max=500)

    assert rig.booked() == [("a", "failed")]


async def test_past_a_soft_limit_the_cheaper_models_chain_is_asked() -> None:
    rule = BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.HOUR, soft_usd=Decimal(0))
    rig = ChainRig(rules=(rule,), a=DOWN)
    cheaper = Cheaper(model="a", output_tokens_max=500)

    recorded = (await rig.complete(model="b", cheaper=cheaper)).recorded

    assert rig.transport.asked == ["a", "b"]
    assert (recorded.model, recorded.fallback_from) == ("b", "a")
    assert recorded.degraded_by == "team seo, hour"


SPENT = BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.HOUR, soft_usd=Decimal(0))


def test_a_soft_limit_does_not_stop_a_question_whose_hedge_has_the_cheaper_model() -> None:
    async def scenario() -> None:
        rig = ChainRig(rules=(SPENT,))

        recorded = (await _later_than_its_hedge(rig)).recorded

        assert rig.transport.asked == ["a"]
        assert (recorded.model, recorded.fallback_from, recorded.degraded_by) == ("a", None, None)

    virtual_time.run(scenario())


def test_a_hard_limit_stops_it() -> None:
    async def scenario() -> None:
        rig = ChainRig(rules=(SPENT.model_copy(update={"hard_usd": Decimal("0.0001")}),))

        with pytest.raises(BudgetExceededError):
            await _later_than_its_hedge(rig)

        assert rig.transport.asked == []

    virtual_time.run(scenario())


async def _later_than_its_hedge(rig: ChainRig) -> ModelAnswer:
    """The answer to a question that waits for its provider until its hedge has taken the model `b`."""
    rig.limits["p"].pause(4.0)
    cheaper = Cheaper(model="b", output_tokens_max=500)
    return await rig.complete(task=LIVE, hedge_after_s=3.0, cheaper=cheaper)


async def test_a_soft_limit_stops_a_fallback_where_the_cheaper_model_has_failed() -> None:
    rule = SPENT.model_copy(update={"soft_usd": Decimal("0.0001")})
    rig = ChainRig(rules=(rule,), a=DOWN, b=LATE)

    with pytest.raises(ProviderUnavailableError):
        await rig.complete(cheaper=Cheaper(model="b", output_tokens_max=500))

    assert rig.transport.asked == ["a", "b"]


def closed(retry_after_s: float | None = None) -> ScopeClosedError:
    return ScopeClosedError(MODEL_A, "down", retry_after_s=retry_after_s)


LIMITED = ProviderRateLimitedError("slow down", retry_after_s=1.0)
QUOTA = ProviderQuotaError("empty")


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([closed(60.0), LATE], 1),
        ([closed(60.0), LIMITED], 0),
        ([closed(60.0), LimitWaitError("no turn", retry_after_s=20.0)], 1),
        ([LIMITED, DOWN], 1),
        ([QUOTA, LIMITED], 1),
        ([QUOTA, closed()], 1),
        ([QUOTA, ProviderRejectedError("no such model")], 0),
        ([closed(), BudgetExceededError("too dear")], 0),
        ([closed(9.0), BudgetExhaustedError("not now")], 0),
        ([ProviderMalformedError("x", retry_after_s=9.0), LATE], 1),
    ],
)
def test_the_error_that_ends_or_waits_least_stands_for_all(
    errors: list[ProcessingError], raised: int
) -> None:
    assert outcome(errors) is errors[raised]


async def test_when_nobody_has_credit_the_task_ends() -> None:
    replies: dict[str, Any] = dict.fromkeys("abc", a_problem(402))
    rig = ChainRig(**replies)

    with pytest.raises(ProviderQuotaError):
        await rig.complete()

    assert rig.transport.asked == ["a", "b", "c"]


REPLIES = st.sampled_from(
    [
        0.0,
        2.0,
        30.0,
        DOWN,
        LATE,
        a_problem(500),
        a_problem(504),
        a_problem(429, retry_after="1"),
        a_problem(429, retry_after="60"),
        a_problem(402),
        a_problem(401),
        a_problem(400),
        a_completion(None),
        a_completion(None, refusal="no"),
    ]
)
HARD_USD = Decimal("0.03")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(REPLIES, REPLIES, REPLIES), min_size=1, max_size=8),
    st.sampled_from([None, Decimal("0.003"), Decimal("0.013")]),
    st.sampled_from([None, 0.5]),
)
def test_whatever_fails_models_are_asked_once_budgets_hold_and_intents_are_closed(
    rounds: list[tuple[Any, Any, Any]], budget_usd: Decimal | None, hedge_after_s: float | None
) -> None:
    rule = BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.HOUR, hard_usd=HARD_USD)

    async def scenario() -> None:
        replies: dict[str, Any] = {model: [each[n] for each in rounds] for n, model in enumerate("abc")}
        rig = ChainRig(rules=(rule,), **replies)
        for number in range(len(rounds)):
            before, booked = len(rig.transport.asked), _booked_usd(rig)
            try:
                await rig.complete(
                    revision=f"{number:020}", task=LIVE, budget_usd=budget_usd, hedge_after_s=hedge_after_s
                )
            except (*PROVIDER_FAULTS, ProviderRejectedError, ProviderRefusedError):
                pass
            except (BudgetExceededError, BudgetExhaustedError):
                assert booked > 0
            asked = rig.transport.asked[before:]
            # Without another model left, a hedge asks the same one.
            assert len(asked) - len(set(asked)) <= (hedge_after_s is not None)
            assert "open" not in {state for _, state in rig.booked()}
            assert _booked_usd(rig) <= HARD_USD
            assert budget_usd is None or _booked_usd(rig) - booked <= budget_usd
            await asyncio.sleep(100)

    virtual_time.run(scenario())


def _booked_usd(rig: ChainRig) -> Decimal:
    return sum((call.cost_usd or Decimal(0) for call in rig.calls()), Decimal(0))
