"""Budgets: the same claims hold for the fake journal and for PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from builders import a_task
from fakes.journal import FakeJournal
from fakes.journaled_answer import a_journaled_answer
from fixtures.store import a_live_worker
from processors.gateway.budgets import Budget, Refused, Standing, Verdict, applying
from processors.gateway.journal import CallIntent, CallJournal, CallKey, JournaledAnswer, Opened
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from schemas.usage import CacheResult
from streams.store.budget_counters import PostgresBudgetCounters
from streams.store.journal import PostgresCallJournal

COST_MAX = Decimal("0.10")
TEAM_DAY = BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.DAY, hard_usd=Decimal("0.25"))
TASK = a_task(team="content")


def a_rule(**fields: Any) -> BudgetRule:
    return BudgetRule(**{"scope": BudgetScope.TEAM, "window": BudgetWindow.DAY, **fields})


def an_intent(number: int = 1, *, rules: tuple[BudgetRule, ...] = (TEAM_DAY,), **changes: Any) -> CallIntent:
    fields: dict[str, Any] = {
        "key": CallKey(revision=f"{number:020}", step="write"),
        "task": TASK,
        "recipe": "flight-route@0123456789ab",
        "provider": "simulated",
        "model": "small-1",
        "simulated": False,
        "cost_max_usd": COST_MAX,
    }
    fields |= changes
    return CallIntent(**fields, budgets=applying(rules, fields["task"]))


def an_answer(attempt: int = 1, cost_usd: str = "0.01") -> JournaledAnswer:
    return a_journaled_answer(
        attempt, simulated=False, cost_usd=Decimal(cost_usd), submission_id=TASK.submission_id
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Journals of several workers over the same calls, and what is booked on budgets."""

    journal: Callable[[str], Awaitable[CallJournal]]
    kill: Callable[[str], Awaitable[None]]
    standing: Callable[[Budget], Awaitable[Standing]]


def fake_ledger() -> Ledger:
    shared = FakeJournal("nobody")

    async def journal(worker_id: str) -> CallJournal:
        return shared.beside(worker_id)

    async def kill(worker_id: str) -> None:
        shared.calls.live.discard(worker_id)

    async def standing(budget: Budget) -> Standing:
        return shared.calls.standing(budget, simulated=False)

    return Ledger(journal=journal, kill=kill, standing=standing)


def postgres_ledger(request: pytest.FixtureRequest) -> Ledger:
    database = request.getfixturevalue("database")
    counters = PostgresBudgetCounters(database)
    leases = {}

    async def journal(worker_id: str) -> CallJournal:
        leases[worker_id] = await a_live_worker(database, worker_id)
        return PostgresCallJournal(database, worker_id, wait_s_max=0.5)

    async def kill(worker_id: str) -> None:
        await leases[worker_id].release()

    async def standing(budget: Budget) -> Standing:
        key = budget.key
        rule = BudgetRule(scope=key.scope, name=key.name, window=key.window, hard_usd=Decimal(1))
        found = [row.standing for row in await counters.current([rule]) if not row.simulated]
        return found[0] if found else Standing()

    return Ledger(journal=journal, kill=kill, standing=standing)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return fake_ledger() if request.param == "fake" else postgres_ledger(request)


@pytest.fixture
async def journal(ledger: Ledger) -> CallJournal:
    return await ledger.journal("worker-a")


def standing(settled: str, reserved: str) -> Standing:
    return Standing(settled_usd=Decimal(settled), reserved_usd=Decimal(reserved))


async def test_an_open_intent_is_the_reservation_and_its_answer_settles_it(
    journal: CallJournal, ledger: Ledger
) -> None:
    [budget] = an_intent().budgets

    assert await journal.open(an_intent()) == Opened(1)
    assert await ledger.standing(budget) == standing("0", "0.10")

    await journal.answered(an_intent().key, an_answer())
    assert await ledger.standing(budget) == standing("0.01", "0")


async def test_what_does_not_fit_is_refused_and_leaves_nothing(journal: CallJournal, ledger: Ledger) -> None:
    [budget] = an_intent().budgets
    for number in (1, 2):
        await journal.open(an_intent(number))

    refused = await journal.open(an_intent(3))

    assert isinstance(refused, Refused)
    assert (refused.verdict, refused.budget, refused.standing) == (
        Verdict.EXHAUSTED,
        budget,
        standing("0", "0.20"),
    )
    assert await ledger.standing(budget) == standing("0", "0.20")
    assert await journal.find(an_intent(3).key) is None


async def test_a_call_that_fits_exactly_is_admitted(journal: CallJournal) -> None:
    rules = (a_rule(hard_usd=Decimal("0.20")),)

    assert await journal.open(an_intent(1, rules=rules)) == Opened(1)
    assert await journal.open(an_intent(2, rules=rules)) == Opened(1)
    assert isinstance(await journal.open(an_intent(3, rules=rules)), Refused)


async def test_a_free_failure_gives_its_reservation_back(journal: CallJournal, ledger: Ledger) -> None:
    [budget] = an_intent().budgets
    await journal.open(an_intent())

    await journal.failed(an_intent().key, 1, "429", billed=False)

    assert await ledger.standing(budget) == standing("0", "0")


async def test_a_failure_that_may_be_billed_settles_at_the_worst_case(
    journal: CallJournal, ledger: Ledger
) -> None:
    [budget] = an_intent().budgets
    await journal.open(an_intent())

    await journal.failed(an_intent().key, 1, "timeout", billed=True)

    assert await ledger.standing(budget) == standing("0.10", "0")


async def test_a_disowned_intent_gives_its_reservation_back(ledger: Ledger) -> None:
    unheard, journal = await ledger.journal("worker-a"), await ledger.journal("worker-a")
    [budget] = an_intent().budgets
    await unheard.open(an_intent())

    await journal.disown(an_intent().key)

    assert await ledger.standing(budget) == standing("0", "0")


async def test_a_dead_workers_reservation_settles_at_the_worst_case(ledger: Ledger) -> None:
    [budget] = an_intent().budgets
    await (await ledger.journal("worker-a")).open(an_intent())
    heir = await ledger.journal("worker-b")
    await ledger.kill("worker-a")

    assert await heir.open(an_intent()) == Opened(2)
    assert await ledger.standing(budget) == standing("0.10", "0.10")


async def test_a_late_answer_takes_the_worst_case_back(ledger: Ledger) -> None:
    [budget] = an_intent().budgets
    zombie, heir = await ledger.journal("worker-a"), await ledger.journal("worker-b")
    await zombie.open(an_intent())
    await ledger.kill("worker-a")
    await heir.open(an_intent())

    await zombie.answered(an_intent().key, an_answer(1))
    await heir.answered(an_intent().key, an_answer(2))

    assert await ledger.standing(budget) == standing("0.02", "0")


async def test_an_answer_that_is_there_needs_no_budget(journal: CallJournal) -> None:
    rules = (a_rule(hard_usd=COST_MAX),)
    await journal.open(an_intent(rules=rules))
    await journal.answered(an_intent().key, an_answer(cost_usd="0.10"))

    assert await journal.open(an_intent(rules=rules)) == an_answer(cost_usd="0.10")


@pytest.mark.parametrize(
    ("booked", "said"),
    [("0", None), ("0.04", None), ("0.05", Verdict.STRAINED), ("0.16", Verdict.STRAINED)],
)
async def test_a_call_that_can_be_cheaper_is_strained_from_the_soft_limit_on(
    journal: CallJournal, booked: str, said: Verdict | None
) -> None:
    rules = (a_rule(soft_usd=Decimal("0.05"), hard_usd=Decimal("0.25")),)
    await journal.open(an_intent(1, rules=rules, cost_max_usd=Decimal(booked)))

    answer = await journal.open(an_intent(2, rules=rules))

    assert (answer.verdict if isinstance(answer, Refused) else None) == said


async def test_a_soft_limit_stops_no_call_that_cannot_be_cheaper(journal: CallJournal) -> None:
    intent = an_intent(rules=(a_rule(soft_usd=Decimal(0)),))
    assert isinstance(await journal.open(intent), Refused)

    plain = replace(intent, budgets=tuple(budget.without_soft() for budget in intent.budgets))

    assert await journal.open(plain) == Opened(1)


async def test_a_cheaper_call_is_tried_before_another_budget_stops_it(journal: CallJournal) -> None:
    rules = (
        a_rule(scope=BudgetScope.FEATURE, hard_usd=Decimal("0.01")),
        a_rule(soft_usd=Decimal(0)),
    )

    refused = await journal.open(an_intent(rules=rules))

    assert isinstance(refused, Refused)
    assert refused.verdict is Verdict.STRAINED


@pytest.mark.parametrize(
    ("scope", "window"),
    [
        *((scope, BudgetWindow.DAY) for scope in BudgetScope),
        *((BudgetScope.TEAM, window) for window in BudgetWindow if window is not BudgetWindow.DAY),
    ],
)
async def test_each_scope_and_window_has_a_counter_of_its_own(
    journal: CallJournal, ledger: Ledger, scope: BudgetScope, window: BudgetWindow
) -> None:
    rules = (a_rule(scope=scope, window=window, hard_usd=COST_MAX),)
    other = a_task(task_id="other", tenant="other", team="other", feature="other", batch_id="other")

    assert await journal.open(an_intent(1, rules=rules)) == Opened(1)
    assert isinstance(await journal.open(an_intent(2, rules=rules)), Refused)
    assert await journal.open(an_intent(3, rules=rules, task=other)) == Opened(1)
    [budget] = an_intent(rules=rules).budgets
    assert await ledger.standing(budget) == standing("0", "0.10")


async def test_a_task_without_a_batch_has_no_batch_budget(journal: CallJournal) -> None:
    rules = (a_rule(scope=BudgetScope.BATCH, hard_usd=Decimal("0.01")),)

    assert await journal.open(an_intent(rules=rules, task=a_task(batch_id=None))) == Opened(1)


async def test_simulated_calls_take_nothing_of_real_money(journal: CallJournal) -> None:
    rules = (a_rule(hard_usd=COST_MAX),)

    assert await journal.open(an_intent(1, rules=rules, simulated=True)) == Opened(1)
    assert isinstance(await journal.open(an_intent(2, rules=rules, simulated=True)), Refused)
    assert await journal.open(an_intent(3, rules=rules)) == Opened(1)


async def test_every_budget_of_a_call_has_to_fit(journal: CallJournal, ledger: Ledger) -> None:
    rules = (
        a_rule(hard_usd=Decimal(10)),
        a_rule(scope=BudgetScope.TENANT, window=BudgetWindow.MONTH, hard_usd=Decimal("0.15")),
    )
    await journal.open(an_intent(1, rules=rules))

    refused = await journal.open(an_intent(2, rules=rules))

    assert isinstance(refused, Refused)
    assert refused.budget.key.scope is BudgetScope.TENANT
    for budget in refused.budget, an_intent(rules=rules).budgets[0]:
        assert await ledger.standing(budget) == standing("0", "0.10")


async def test_64_callers_of_two_workers_on_a_budget_of_one_call_get_one(ledger: Ledger) -> None:
    journals = [await ledger.journal(worker) for worker in ("worker-a", "worker-b")]
    rules = (a_rule(hard_usd=COST_MAX), a_rule(scope=BudgetScope.TENANT, hard_usd=Decimal(1)))

    answers = await asyncio.gather(
        *(journals[number % 2].open(an_intent(number, rules=rules)) for number in range(64))
    )

    assert sum(answer == Opened(1) for answer in answers) == 1
    for budget in an_intent(rules=rules).budgets:
        assert await ledger.standing(budget) == standing("0", "0.10")


async def test_an_answer_of_the_cache_asks_no_budget_and_is_booked_on_none(
    journal: CallJournal, ledger: Ledger
) -> None:
    [budget] = an_intent().budgets
    for number in (1, 2):
        await journal.open(an_intent(number))
    intent = replace(an_intent(3), cost_max_usd=Decimal(0))

    adopted = await journal.adopt(intent, replace(an_answer(), cost_usd=Decimal(0), cache=CacheResult.HIT))

    assert adopted.cache is CacheResult.HIT
    assert await ledger.standing(budget) == standing("0", "0.20")
