"""A slow question is asked a second time; the first answer counts, and a replay finds the same."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from builders import a_task
from fakes import virtual_time
from fakes.chain_rig import ChainRig, Late
from fakes.journal import FakeJournal
from fakes.transport import a_problem
from processors.errors import ProviderRefusedError, ProviderTimeoutError, ProviderUnavailableError
from processors.gateway.journal import CallKey
from processors.model import Cheaper, ModelAnswer
from schemas.base import Lane
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow

LIVE = a_task(lane=Lane.LIVE)
AFTER_S = 3.0
DOWN = ProviderUnavailableError("down", billed=False)
Test = Callable[..., Coroutine[Any, Any, None]]


def virtually(test: Test) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        virtual_time.run(test(*args, **named))

    return run


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def hedged(rig: ChainRig, **changes: Any) -> tuple[ModelAnswer, float]:
    """The answer, and after how many seconds it came."""
    began_s = now_s()
    answer = await rig.complete(**{"task": LIVE, "hedge_after_s": AFTER_S, **changes})
    return answer, round(now_s() - began_s, 1)


def a_rule(**limits: Any) -> BudgetRule:
    return BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.HOUR, **limits)


@virtually
async def test_a_quick_answer_is_asked_for_once() -> None:
    rig = ChainRig(a=2.9)

    answer, took_s = await hedged(rig)

    assert (answer.recorded.model, answer.recorded.hedge, took_s) == ("a", None, 2.9)
    assert rig.transport.asked == ["a"]


@virtually
async def test_a_slow_answer_loses_against_the_next_model() -> None:
    rig = ChainRig(a=20.0, b=1.0)

    answer, took_s = await hedged(rig)

    recorded = answer.recorded
    assert (recorded.model, recorded.hedge, recorded.fallback_from, took_s) == ("b", "won", None, 4.0)
    assert (recorded.step, recorded.call_id) == ("write/hedge-1", f"{'r' * 20}/write/hedge-1/1")
    assert rig.booked() == [("a", "unknown"), ("b", "answered")]
    assert rig.transport.ended == ["b"]


@virtually
async def test_a_slow_hedge_loses_and_is_booked_at_its_worst_case() -> None:
    rig = ChainRig(a=5.0, b=20.0)

    answer, took_s = await hedged(rig)

    assert (answer.recorded.model, answer.recorded.hedge, took_s) == ("a", "lost", 5.0)
    assert rig.booked() == [("a", "answered"), ("b", "unknown")]
    assert rig.calls()[1].cost_usd == rig.calls()[1].intent.cost_max_usd


@virtually
async def test_without_another_model_the_same_one_is_asked_again() -> None:
    rig = ChainRig(c=[20.0, 1.0])

    answer, took_s = await hedged(rig, model="c")

    assert (answer.recorded.model, answer.recorded.hedge, took_s) == ("c", "won", 4.0)


@virtually
async def test_bulk_tasks_are_never_hedged() -> None:
    rig = ChainRig(a=20.0)

    answer, took_s = await hedged(rig, task=a_task(lane=Lane.BULK))

    assert (answer.recorded.model, took_s) == ("a", 20.0)
    assert rig.transport.asked == ["a"]


@virtually
async def test_a_model_that_the_hedge_asks_is_no_fallback_any_more() -> None:
    rig = ChainRig(a=Late(4.0, DOWN), b=20.0, c=1.0)

    answer, took_s = await hedged(rig)

    assert rig.transport.asked == ["a", "b", "c"]
    assert (answer.recorded.model, answer.recorded.hedge, took_s) == ("c", "lost", 5.0)


@virtually
async def test_a_question_that_fails_waits_for_its_hedge() -> None:
    rig = ChainRig(c=[Late(4.0, DOWN), 5.0])

    answer, took_s = await hedged(rig, model="c")

    assert (answer.recorded.hedge, took_s) == ("won", 8.0)


@pytest.mark.parametrize("reply", [a_problem(400), DOWN])
@virtually
async def test_a_hedge_that_fails_changes_nothing(reply: Any) -> None:
    rig = ChainRig(a=5.0, b=reply)

    answer, took_s = await hedged(rig)

    assert (answer.recorded.model, took_s) == ("a", 5.0)


@virtually
async def test_when_both_fail_the_questions_own_error_is_raised() -> None:
    rig = ChainRig(c=[Late(4.0, ProviderTimeoutError("late")), Late(4.0, DOWN)])

    with pytest.raises(ProviderTimeoutError):
        await hedged(rig, model="c")

    assert rig.booked() == [("c", "unknown"), ("c", "failed")]


@virtually
async def test_what_lies_with_the_request_ends_both() -> None:
    rig = ChainRig(a=Late(5.0, ProviderRefusedError("no")), b=20.0)
    began_s = now_s()

    with pytest.raises(ProviderRefusedError):
        await hedged(rig)

    assert now_s() - began_s < 6.0
    assert rig.booked() == [("a", "unknown"), ("b", "unknown")]


@virtually
async def test_a_hedge_that_a_budget_does_not_cover_is_not_made() -> None:
    bound = Decimal("0.0015")
    for rules, budget_usd in (((), bound), ((a_rule(hard_usd=bound),), None)):
        rig = ChainRig(rules=rules, c=20.0)

        _, took_s = await hedged(rig, model="c", budget_usd=budget_usd)

        assert (rig.transport.asked, took_s) == (["c"], 20.0)


@virtually
async def test_money_that_a_soft_budget_spares_is_not_spent_on_a_hedge() -> None:
    rig = ChainRig(rules=(a_rule(soft_usd=Decimal("0.0001")),), a=20.0)

    await hedged(rig, cheaper=Cheaper(model="c", output_tokens_max=100))

    assert rig.transport.asked == ["a"]


@virtually
async def test_a_replay_finds_the_hedges_answer_and_buys_nothing() -> None:
    rig = ChainRig(a=20.0, b=1.0)
    first, _ = await hedged(rig)
    again = ChainRig(journal=rig.journal.beside("worker-2"))

    replayed, _ = await hedged(again)

    assert replayed == first
    assert again.transport.asked == []


@virtually
async def test_when_both_answer_at_once_now_and_in_a_replay_the_questions_own_counts() -> None:
    rig = ChainRig(a=4.0, b=1.0)
    again = ChainRig(journal=rig.journal.beside("worker-2"))

    answer, _ = await hedged(rig)
    replayed, _ = await hedged(again)

    assert [state for _, state in rig.booked()] == ["answered", "answered"]
    assert answer.recorded.model == replayed.recorded.model == "a"
    assert again.transport.asked == []


@virtually
async def test_a_cancelled_question_leaves_neither_call_open() -> None:
    rig = ChainRig(a=20.0, b=20.0)
    running = asyncio.ensure_future(hedged(rig))
    await asyncio.sleep(AFTER_S + 1)

    running.cancel()
    await asyncio.wait({running})

    assert rig.booked() == [("a", "unknown"), ("b", "unknown")]


@virtually
async def test_a_hedge_of_a_dead_worker_is_made_again_under_its_own_attempt() -> None:
    dead = ChainRig(a=20.0, b=20.0)
    running = asyncio.ensure_future(hedged(dead))
    await asyncio.sleep(AFTER_S + 1)
    dead.journal.calls.live.discard("worker-1")
    survivor = ChainRig(journal=FakeJournal("worker-2", dead.journal.calls), a=20.0, b=1.0)

    answer, _ = await hedged(survivor)

    assert answer.recorded.call_id.endswith("/write/hedge-1/2")
    running.cancel()
    await asyncio.wait({running})
    attempts = dead.journal.attempts(CallKey(revision="r" * 20, step="write/hedge-1"))
    assert [call.state for call in attempts] == ["unknown", "answered"]
