"""Calls within budgets: cheaper past a soft limit, none past a hard one, nothing asked in vain."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import NOW, a_task
from fakes.catalogue import without_fallbacks
from fakes.clock import FakeClock
from fakes.journal import FakeJournal
from fakes.model_request import a_request
from fakes.transport import ScriptedTransport, a_completion, a_problem
from processors.breakers import BreakerRules, Breakers
from processors.errors import BudgetExceededError, BudgetExhaustedError, ProviderUnavailableError
from processors.gates import Gates
from processors.gateway.budget_book import RECALL_S, BudgetBook
from processors.gateway.catalogue import default
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallKey
from processors.gateway.limits import ProviderLimits
from processors.gateway.prices import compile_prices
from processors.model import Cheaper, ModelAnswer
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow

CATALOGUE = without_fallbacks(default().simulated_at("http://127.0.0.1:1/v1"))
PRICES = compile_prices(CATALOGUE, NOW)
CHEAPER = Cheaper(model="gpt-5-nano", output_tokens_max=500)


class BudgetedRig:
    """A gateway on fakes, with budgets."""

    def __init__(self, *rules: BudgetRule, replies: tuple[Any, ...] = ()) -> None:
        self.clock = FakeClock()
        self.journal = FakeJournal()
        self.journal.calls.now = self.clock.now()
        self.transport = ScriptedTransport(*replies)
        self.limits = ProviderLimits("simulated", CATALOGUE.used_providers[0].limits)
        self.limits.set_share(1.0)
        self.gateway = Gateway(
            catalogue=CATALOGUE,
            prices=PRICES,
            journal=self.journal,
            limits={"simulated": self.limits},
            transports={"simulated": self.transport},
            clock=self.clock,
            gates=Gates(),
            budgets=BudgetBook(rules, self.clock),
            breakers=Breakers(BreakerRules(), lambda: 0.0),
        )

    async def complete(self, number: int = 1, **changes: Any) -> ModelAnswer:
        return await self.gateway.complete(
            a_request(**{"revision": f"{number:020}", "model": "gpt-5", **changes})
        )

    def move(self, by: timedelta) -> None:
        self.clock.move(by)
        self.journal.calls.now = self.clock.now()


def a_rule(**fields: Any) -> BudgetRule:
    return BudgetRule(**{"scope": BudgetScope.TEAM, "window": BudgetWindow.HOUR, **fields})


async def worst_case() -> Decimal:
    """What the request of these tests may cost."""
    rig = BudgetedRig()
    await rig.complete()
    [call] = rig.journal.attempts(CallKey(revision=f"{1:020}", step="write"))
    return call.intent.cost_max_usd


async def test_below_the_soft_limit_calls_are_as_asked() -> None:
    rig = BudgetedRig(a_rule(soft_usd=Decimal(1)))

    recorded = (await rig.complete(cheaper=CHEAPER)).recorded

    assert (recorded.model, recorded.degraded_by) == ("gpt-5", None)


async def test_past_the_soft_limit_calls_are_cheaper_and_say_why() -> None:
    rig = BudgetedRig(a_rule(soft_usd=Decimal(0)))

    recorded = (await rig.complete(cheaper=CHEAPER)).recorded

    assert (recorded.model, recorded.degraded_by) == ("gpt-5-nano", "team seo, hour")
    [call] = rig.journal.attempts(CallKey(revision=f"{1:020}", step="write"))
    assert (call.intent.model, call.intent.degraded_by) == ("gpt-5-nano", "team seo, hour")
    assert b"gpt-5-nano" in rig.transport.requests[0].body
    assert b"500" in rig.transport.requests[0].body


async def test_a_replay_says_too_that_the_call_was_cheaper() -> None:
    rig = BudgetedRig(a_rule(soft_usd=Decimal(0)))
    await rig.complete(cheaper=CHEAPER)

    again = (await rig.complete(task=a_task(batch_id="later"), cheaper=CHEAPER)).recorded

    assert (again.replayed, again.model, again.degraded_by) == (True, "gpt-5-nano", "team seo, hour")


async def test_past_the_soft_limit_a_call_that_cannot_be_cheaper_is_made_as_asked() -> None:
    rig = BudgetedRig(a_rule(soft_usd=Decimal(0)))

    recorded = (await rig.complete()).recorded

    assert (recorded.model, recorded.degraded_by) == ("gpt-5", None)


async def test_a_call_that_fits_only_when_cheaper_is_made_cheaper() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(soft_usd=need / 2, hard_usd=need / 2))

    assert (await rig.complete(cheaper=CHEAPER)).recorded.model == "gpt-5-nano"


async def test_a_hard_limit_alone_makes_nothing_cheaper() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need / 2))

    with pytest.raises(BudgetExceededError, match="team seo, hour"):
        await rig.complete(cheaper=CHEAPER)

    assert rig.transport.requests == []


async def test_200_callers_on_a_budget_of_one_call_make_one() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need))

    outcomes = await asyncio.gather(*(rig.complete(number) for number in range(200)), return_exceptions=True)

    assert sum(isinstance(outcome, ModelAnswer) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, BudgetExhaustedError) for outcome in outcomes) == 199
    assert len(rig.transport.requests) == 1


async def test_a_call_that_failed_unbilled_leaves_its_money_to_the_next() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need), replies=(a_problem(503), a_completion("{}")))
    with pytest.raises(ProviderUnavailableError):
        await rig.complete(1)

    assert (await rig.complete(2)).text


async def test_an_empty_budget_waits_for_its_window_and_goes_on_in_the_next() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need))
    await rig.complete(1)

    with pytest.raises(BudgetExhaustedError) as refused:
        await rig.complete(2)
    assert refused.value.retry_after_s is not None

    rig.move(timedelta(seconds=refused.value.retry_after_s))
    assert (await rig.complete(2)).text


async def test_a_total_that_is_spent_ends_the_record() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need, window=BudgetWindow.TOTAL))
    await rig.complete(1)

    with pytest.raises(BudgetExceededError, match="never ends"):
        await rig.complete(2)


async def test_another_teams_calls_go_on() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need))
    await rig.complete(1)

    assert (await rig.complete(2, task=a_task(team="other"))).text


async def test_a_refusal_is_recalled_so_that_no_quota_is_taken_in_vain() -> None:
    need = await worst_case()
    rig = BudgetedRig(a_rule(hard_usd=need))
    await rig.complete(1)
    for _ in range(2):
        with pytest.raises(BudgetExhaustedError):
            await rig.complete(2)
        # The second time nobody waits for the provider's limits: there is no share of them any more.
        rig.limits.set_share(0.0)

    rig.limits.set_share(1.0)
    await rig.journal.failed(CallKey(revision=f"{1:020}", step="write"), 1, "x", billed=False)
    rig.journal.attempts(CallKey(revision=f"{1:020}", step="write")).clear()
    rig.move(timedelta(seconds=RECALL_S))
    assert (await rig.complete(2)).text


async def test_a_recalled_soft_limit_is_asked_again_in_time() -> None:
    rig = BudgetedRig(a_rule(soft_usd=Decimal("0.001")))
    await rig.complete(1)
    assert (await rig.complete(2, cheaper=CHEAPER)).recorded.degraded_by
    rig.journal.calls.attempts.clear()

    assert (await rig.complete(3, cheaper=CHEAPER)).recorded.degraded_by
    rig.move(timedelta(seconds=RECALL_S))
    assert (await rig.complete(4, cheaper=CHEAPER)).recorded.degraded_by is None


async def test_the_tasks_own_budget_is_as_before() -> None:
    rig = BudgetedRig(a_rule(soft_usd=Decimal(0)))

    with pytest.raises(BudgetExceededError, match="raise the budget or lower output_tokens_max"):
        await rig.complete(budget_usd=Decimal("0.0001"), cheaper=CHEAPER)
