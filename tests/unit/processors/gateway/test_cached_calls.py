"""Steps that use the answer cache, through the gateway: what is asked, what is paid, what is told."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import NOW, a_task
from fakes import virtual_time
from fakes.answer_store import FakeAnswerStore
from fakes.catalogue import without_fallbacks
from fakes.clock import FakeClock
from fakes.journal import FakeJournal
from fakes.model_request import a_request
from fakes.transport import ScriptedTransport, a_completion, a_problem
from processors.breakers import BreakerRules, Breakers
from processors.errors import (
    AbandonedError,
    BudgetExceededError,
    BudgetExhaustedError,
    DeadlinePassedError,
    ProcessingError,
    ProviderQuotaError,
    ProviderRejectedError,
    ProviderUnavailableError,
    ScopeClosedError,
    StoreUnavailableError,
)
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import default
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallKey
from processors.gateway.limits import ProviderLimits
from processors.gateway.prices import compile_prices
from processors.gateway.spared_store import SparedStore
from processors.model import CacheUse, Cheaper, ModelAnswer, Tool
from schemas.base import Lane
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from schemas.scope import Scope, ScopeKind
from schemas.usage import CacheResult, Usage

CATALOGUE = without_fallbacks(default().simulated_at("http://127.0.0.1:1/v1"))
PRICES = compile_prices(CATALOGUE, NOW)
TTL_S, STALE_S = 60, 600
VALID = '{"a": 1}'
USE = CacheUse(ttl_s=TTL_S, stale_s=STALE_S, accepts=lambda text: text.startswith("{"))
DOWN = a_problem(503)


class CachingRig:
    """A gateway on fakes, with an answer cache; each number is a task of its own with the same question."""

    def __init__(self, *replies: Any, rules: tuple[BudgetRule, ...] = ()) -> None:
        self.clock = FakeClock()
        self.journal = FakeJournal()
        self.journal.calls.now = self.clock.now()
        self.transport = ScriptedTransport(*replies)
        self.store = FakeAnswerStore()
        self.failed: list[str] = []
        self.gates = Gates()
        limits = ProviderLimits("simulated", CATALOGUE.used_providers[0].limits)
        limits.set_share(1.0)
        self.gateway = Gateway(
            catalogue=CATALOGUE,
            prices=PRICES,
            journal=self.journal,
            limits={"simulated": limits},
            transports={"simulated": self.transport},
            clock=self.clock,
            gates=self.gates,
            budgets=BudgetBook(rules, self.clock),
            breakers=Breakers(BreakerRules(outcomes=4), lambda: 0.0),
            answers=SparedStore(self.store, self.failed.append),
        )

    async def ask(self, number: int = 1, **changes: Any) -> ModelAnswer:
        task = changes.pop("task", None) or a_task(task_id=f"task-{number}")
        request = a_request(**{"revision": f"{number:020}", "task": task, "cache": USE, **changes})
        return await self.gateway.complete(request)

    def states(self, number: int) -> list[tuple[str, Decimal | None]]:
        calls = self.journal.attempts(CallKey(revision=f"{number:020}", step="write"))
        return [(call.state, call.cost_usd) for call in calls]

    @property
    def requests(self) -> int:
        return len(self.transport.requests)

    def move(self, seconds: float) -> None:
        self.clock.move(timedelta(seconds=seconds))
        self.journal.calls.now = self.clock.now()


async def test_the_same_question_of_another_task_is_answered_at_no_price() -> None:
    rig = CachingRig(a_completion(VALID), a_completion('{"a": 2}'))

    bought = (await rig.ask(1)).recorded
    given = await rig.ask(2)

    recorded = given.recorded
    assert (rig.requests, given.text, given.finish_reason) == (1, VALID, "stop")
    assert (bought.cache, bought.saved_usd) == (CacheResult.MISS, Decimal(0))
    assert (recorded.cache, recorded.saved_usd) == (CacheResult.HIT, bought.cost_usd)
    assert (recorded.cost_usd, recorded.usage, recorded.cached) == (Decimal(0), Usage(), True)
    assert (recorded.task_id, recorded.replayed, recorded.degraded_by) == ("task-2", False, None)
    assert recorded.call_id == f"{2:020}/write/1"
    assert given.response_model == "gpt-5-nano-2025-08-07"
    assert rig.states(2) == [("answered", Decimal(0))]


async def test_a_step_that_does_not_use_the_cache_neither_reads_nor_fills_it() -> None:
    rig = CachingRig()

    answers = [await rig.ask(number, cache=None) for number in (1, 2)]

    assert (rig.requests, rig.store.finds, rig.store.answers) == (2, 0, {})
    assert [answer.recorded.cache for answer in answers] == [None, None]


@pytest.mark.parametrize(
    "changes",
    [
        {"task": a_task(task_id="task-2", tenant="other")},
        {"model": "gpt-5"},
        {"temperature": 0.5},
        {"recipe": "flight-route@ffffffffffff"},
    ],
)
async def test_another_question_is_asked(changes: dict[str, Any]) -> None:
    rig = CachingRig()

    await rig.ask(1)
    second = await rig.ask(2, **changes)

    assert (rig.requests, second.recorded.cache) == (2, CacheResult.MISS)


async def test_after_its_time_an_answer_is_bought_again() -> None:
    rig = CachingRig(a_completion(VALID), a_completion('{"a": 2}'))
    await rig.ask(1)

    rig.move(TTL_S - 1)
    assert (await rig.ask(2)).recorded.cache is CacheResult.HIT
    rig.move(1)
    again = await rig.ask(3)

    assert (again.text, again.recorded.cache, rig.requests) == ('{"a": 2}', CacheResult.MISS, 2)
    assert (await rig.ask(4)).text == '{"a": 2}'


async def test_a_record_that_comes_again_hears_the_same_whatever_became_of_the_cache() -> None:
    rig = CachingRig(a_completion(VALID), a_completion('{"a": 2}'))
    await rig.ask(1)
    first = await rig.ask(2)

    rig.move(TTL_S + STALE_S)
    rig.store.answers.clear()

    assert await rig.ask(2) == first
    assert rig.requests == 1


@pytest.mark.parametrize(
    "reply",
    [a_completion("not valid"), a_completion(VALID, finish_reason="length")],
    ids=["invalid", "cut off"],
)
async def test_what_cannot_be_used_is_never_given_to_others(reply: Any) -> None:
    rig = CachingRig(reply, a_completion(VALID))

    await rig.ask(1)
    assert rig.store.answers == {}
    answers = [await rig.ask(number) for number in (2, 3)]

    assert [(answer.text, answer.recorded.cache) for answer in answers] == [
        (VALID, CacheResult.MISS),
        (VALID, CacheResult.HIT),
    ]


async def test_tool_calls_come_out_of_the_cache_as_they_went_in() -> None:
    function = {"name": "look", "arguments": "{}"}
    message: dict[str, Any] = {"role": "assistant", "content": VALID}
    message |= {"tool_calls": [{"id": "1", "type": "function", "function": function}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    rig = CachingRig(a_completion(VALID, choices=[choice]))
    tools = (Tool(name="look", description="looks", parameters={"type": "object"}),)

    bought, given = [await rig.ask(number, tools=tools) for number in (1, 2)]

    assert bought.tool_calls
    assert (given.tool_calls, given.text, rig.requests) == (bought.tool_calls, VALID, 1)


def test_of_many_at_once_one_is_asked_and_the_others_are_hits() -> None:
    async def scene() -> None:
        rig = CachingRig()
        rig.transport.gate = asyncio.Event()
        asking = [asyncio.create_task(rig.ask(number)) for number in range(20)]
        await rig.transport.asked.wait()
        rig.transport.gate.set()

        results = [(await task).recorded.cache for task in asking]

        assert (rig.requests, rig.store.finds) == (1, 2)  # before it leads, and once it does
        assert results == [CacheResult.MISS, *[CacheResult.HIT] * 19]

    virtual_time.run(scene())


def test_an_answer_that_the_store_does_not_take_is_shared_all_the_same() -> None:
    async def scene() -> None:
        rig = CachingRig()
        rig.store.error = StoreUnavailableError("away")

        answers = await asyncio.gather(*(rig.ask(number) for number in range(3)))

        assert rig.requests == 1
        assert [a.recorded.cache for a in answers] == [CacheResult.MISS, CacheResult.HIT, CacheResult.HIT]
        assert rig.failed == ["find", "lead", "put"]

    virtual_time.run(scene())


def test_a_live_task_does_not_wait_for_a_bulk_one() -> None:
    async def scene() -> None:
        rig = CachingRig()
        rig.transport.gate = asyncio.Event()
        bulk = asyncio.create_task(rig.ask(1))
        await rig.transport.asked.wait()
        live = asyncio.create_task(rig.ask(2, task=a_task(task_id="live", lane=Lane.LIVE)))
        await asyncio.sleep(0.1)

        assert rig.requests == 2
        rig.transport.gate.set()
        await asyncio.gather(bulk, live)

    virtual_time.run(scene())


def test_a_leader_that_fails_or_is_cancelled_fails_nobody_else() -> None:
    async def scene() -> None:
        rig = CachingRig(DOWN, a_completion(VALID))
        rig.transport.gate = asyncio.Event()
        asking = [asyncio.create_task(rig.ask(number)) for number in range(4)]
        await rig.transport.asked.wait()
        rig.transport.gate.set()

        with pytest.raises(ProviderUnavailableError):
            await asking[0]
        answers = await asyncio.gather(*asking[1:])

        assert {answer.text for answer in answers} == {VALID}
        assert rig.requests == 2

    virtual_time.run(scene())


@pytest.mark.parametrize("error", [AbandonedError, DeadlinePassedError])
def test_who_waits_for_another_ones_answer_leaves_when_nobody_wants_it(error: type[ProcessingError]) -> None:
    async def scene() -> None:
        rig = CachingRig()
        rig.transport.gate = asyncio.Event()
        leader = asyncio.create_task(rig.ask(1))
        await rig.transport.asked.wait()
        gone = asyncio.Event()
        task = a_task(task_id="late", deadline=NOW + timedelta(seconds=30))
        waiter = asyncio.create_task(rig.ask(2, task=task, abandoned=gone.is_set))
        await asyncio.sleep(0.1)

        if error is AbandonedError:
            gone.set()
        else:
            rig.move(60)

        with pytest.raises(error):
            await waiter
        rig.transport.gate.set()
        assert (await leader).text == '{"a": 1}'

    virtual_time.run(scene())


@pytest.mark.parametrize("reply", [DOWN, a_problem(429), a_problem(402), a_completion(VALID, choices=[])])
async def test_while_the_provider_fails_an_answer_whose_time_is_over_stands_in(reply: Any) -> None:
    rig = CachingRig(a_completion(VALID), reply)
    price_usd = (await rig.ask(1)).recorded.cost_usd
    rig.move(TTL_S)

    given = await rig.ask(2)

    recorded = given.recorded
    assert (given.text, recorded.cache) == (VALID, CacheResult.STALE)
    assert recorded.degraded_by == f"stale answer of {NOW.isoformat()}"
    assert (recorded.cost_usd, recorded.saved_usd) == (Decimal(0), price_usd)
    assert recorded.call_id.endswith("/write/2")
    assert [state for state, _ in rig.states(2)][1:] == ["answered"]
    assert await rig.ask(2) == given


async def test_a_stale_answer_does_not_become_fresh() -> None:
    rig = CachingRig(a_completion(VALID), DOWN, a_completion('{"a": 2}'))
    await rig.ask(1)
    rig.move(TTL_S)
    await rig.ask(2)

    assert (await rig.ask(3)).text == '{"a": 2}'


def test_those_who_waited_for_a_call_that_failed_are_given_the_stale_answer_too() -> None:
    async def scene() -> None:
        rig = CachingRig(a_completion(VALID), DOWN)
        await rig.ask(1)
        rig.move(TTL_S)

        answers = await asyncio.gather(*(rig.ask(number) for number in range(2, 10)))

        assert rig.requests == 2
        assert {(a.recorded.cache, a.recorded.degraded_by) for a in answers} == {
            (CacheResult.STALE, f"stale answer of {NOW.isoformat()}")
        }

    virtual_time.run(scene())


@pytest.mark.parametrize("stale_s", [0, STALE_S])
async def test_an_answer_that_is_too_old_does_not_stand_in(stale_s: int) -> None:
    rig = CachingRig(a_completion(VALID), a_problem(402))
    use = CacheUse(ttl_s=TTL_S, stale_s=stale_s, accepts=bool)
    await rig.ask(1, cache=use)
    rig.move(TTL_S + stale_s)

    with pytest.raises(ProviderQuotaError):
        await rig.ask(2, cache=use)


async def test_what_lies_with_the_question_is_not_hidden_by_an_old_answer() -> None:
    rig = CachingRig(a_completion(VALID), a_problem(400))
    await rig.ask(1)
    rig.move(TTL_S)

    with pytest.raises(ProviderRejectedError):
        await rig.ask(2)


async def test_an_open_breaker_is_the_providers_failure_and_a_persons_pause_is_not() -> None:
    rig = CachingRig(a_completion(VALID), DOWN)
    await rig.ask(1)
    for number in (2, 3, 4):
        with pytest.raises((ProviderUnavailableError, ScopeClosedError)):
            await rig.ask(number, cache=None)
    rig.move(TTL_S)
    before = rig.requests

    assert (await rig.ask(5)).recorded.cache is CacheResult.STALE
    rig.gates.close(Scope(ScopeKind.PROVIDER, "simulated"), "operator", "paused by ann")
    with pytest.raises(ScopeClosedError, match="paused by ann"):
        await rig.ask(6)

    assert rig.requests == before


def a_rule(**limits: Decimal) -> BudgetRule:
    return BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.TOTAL, name="seo", **limits)


async def test_past_a_soft_budget_a_stale_answer_goes_before_a_cheaper_call() -> None:
    rig = CachingRig(rules=(a_rule(soft_usd=Decimal("0.000001")),))
    cheaper = Cheaper(model="gpt-5-nano", output_tokens_max=100)
    await rig.ask(1, model="gpt-5", cheaper=cheaper)
    rig.move(TTL_S)

    given = (await rig.ask(2, model="gpt-5", cheaper=cheaper)).recorded
    without = (await rig.ask(3, model="gpt-5", cheaper=cheaper, cache=None)).recorded

    assert (given.cache, given.model, given.cost_usd) == (CacheResult.STALE, "gpt-5", Decimal(0))
    assert (without.model, without.degraded_by) == ("gpt-5-nano", "team seo, total")
    assert rig.requests == 2


async def test_past_a_soft_budget_a_step_without_anything_less_is_asked_as_it_is() -> None:
    rig = CachingRig(rules=(a_rule(soft_usd=Decimal("0.000001")),))
    await rig.ask(1)

    other = await rig.ask(2, temperature=0.5)

    assert (other.recorded.cache, other.recorded.degraded_by) == (CacheResult.MISS, None)
    assert (await rig.ask(3, temperature=0.5)).recorded.cache is CacheResult.HIT


async def test_a_cheaper_answer_is_not_given_to_those_who_ask_for_the_usual_one() -> None:
    rig = CachingRig(rules=(a_rule(soft_usd=Decimal("0.000001")),))
    cheaper = Cheaper(model="gpt-5-nano", output_tokens_max=100)
    await rig.ask(1, model="gpt-5", cheaper=cheaper)
    kept = dict(rig.store.answers)

    less = (await rig.ask(2, model="gpt-5", cheaper=cheaper, temperature=0.5)).recorded

    assert (less.model, less.cache) == ("gpt-5-nano", CacheResult.MISS)
    assert rig.store.answers == kept


async def test_an_exhausted_budget_stops_no_answer_of_the_cache() -> None:
    rig = CachingRig(rules=(a_rule(hard_usd=Decimal("0.0005")),))
    await rig.ask(1)

    paying = (rig.ask(number, cache=None) for number in range(2, 10))
    ended = await asyncio.gather(*paying, return_exceptions=True)
    given = await rig.ask(10)

    assert any(isinstance(each, BudgetExceededError | BudgetExhaustedError) for each in ended)
    assert given.recorded.cache is CacheResult.HIT
    assert rig.states(10) == [("answered", Decimal(0))]


def test_a_slow_cache_is_a_miss() -> None:
    async def scene() -> None:
        rig = CachingRig()
        await rig.ask(1)
        rig.store.gate = asyncio.Event()

        assert (await rig.ask(2)).recorded.cache is CacheResult.MISS
        assert rig.failed == ["find", "lead", "put"]

    virtual_time.run(scene())


async def test_the_journal_that_is_away_is_told_and_nothing_is_lost() -> None:
    rig = CachingRig()
    await rig.ask(1)

    rig.journal.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await rig.ask(2)
    rig.journal.error = None

    assert (await rig.ask(2)).recorded.cache is CacheResult.HIT
    assert rig.requests == 1
