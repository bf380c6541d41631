"""The paid-call journal: the same claims hold for the fake and for PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from builders import a_task, a_usage
from fakes.journal import FakeJournal
from fakes.journaled_answer import a_journaled_answer
from fixtures.store import a_live_worker
from processors.errors import AbandonedError, ClaimedElsewhereError, WorkersDiedError
from processors.gateway.journal import (
    DEATHS_MAX,
    CallIntent,
    CallJournal,
    CallKey,
    InsteadOf,
    JournaledAnswer,
    Opened,
)
from processors.gateway.vectors import packed
from schemas.failures import FailureReason
from schemas.usage import CacheResult, Usage
from streams.store.journal import PostgresCallJournal

KEY = CallKey(revision="0123456789abcdef0123", step="write")
TASK = a_task()
INTENT = CallIntent(
    key=KEY,
    task=TASK,
    recipe="flight-route@0123456789ab",
    provider="simulated",
    model="small-1",
    simulated=True,
    cost_max_usd=Decimal("0.0123"),
)


def an_answer(attempt: int = 1, text: str = '{"title": "Flights"}') -> JournaledAnswer:
    return a_journaled_answer(
        attempt,
        text=text,
        usage=a_usage(input_cache_read=7, reasoning=3),
        submission_id=TASK.submission_id,
        instead_of=InsteadOf("mid-1", FailureReason.PROVIDER_TIMEOUT),
        trimmed=("examples", "notes"),
    )


class Journals:
    """Journals of several workers over the same calls."""

    def __init__(
        self,
        journal: Callable[[str, float], Awaitable[CallJournal]],
        kill: Callable[[str], Awaitable[None]],
        states: Callable[[], Awaitable[list[tuple[str, Decimal | None]]]],
    ) -> None:
        self.journal = journal
        self.kill = kill
        self.states = states


def fake_journals() -> Journals:
    shared = FakeJournal("nobody")

    async def journal(worker_id: str, wait_s_max: float) -> CallJournal:
        return shared.beside(worker_id)

    async def kill(worker_id: str) -> None:
        shared.calls.live.discard(worker_id)

    async def states() -> list[tuple[str, Decimal | None]]:
        return [(call.state, call.cost_usd) for call in shared.attempts(KEY)]

    return Journals(journal, kill, states)


def postgres_journals(request: pytest.FixtureRequest) -> Journals:
    database = request.getfixturevalue("database")
    leases = {}

    async def journal(worker_id: str, wait_s_max: float) -> CallJournal:
        leases[worker_id] = await a_live_worker(database, worker_id)
        return PostgresCallJournal(database, worker_id, wait_s_max=wait_s_max)

    async def kill(worker_id: str) -> None:
        await leases[worker_id].release()

    async def states() -> list[tuple[str, Decimal | None]]:
        rows = await database.fetch("SELECT state, cost_usd FROM model_calls ORDER BY attempt")
        return [(row["state"], row["cost_usd"]) for row in rows]

    return Journals(journal, kill, states)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def journals(request: pytest.FixtureRequest) -> Journals:
    return fake_journals() if request.param == "fake" else postgres_journals(request)


@pytest.fixture
async def journal(journals: Journals) -> CallJournal:
    return await journals.journal("worker-a", 0.5)


async def test_an_unknown_call_is_not_found(journal: CallJournal) -> None:
    assert await journal.find(KEY) is None


async def test_a_first_intent_is_attempt_one(journal: CallJournal, journals: Journals) -> None:
    assert await journal.open(INTENT) == Opened(1)
    assert await journals.states() == [("open", None)]


async def test_an_answer_is_found_as_it_was_given(journal: CallJournal) -> None:
    await journal.open(INTENT)
    await journal.answered(KEY, an_answer())

    assert await journal.find(KEY) == an_answer()
    assert await journal.open(INTENT) == an_answer()


async def test_an_answer_of_many_vectors_is_found_whole(journal: CallJournal) -> None:
    text = packed([(number / 32, *(0.5,) * 3_071) for number in range(32)])
    await journal.open(INTENT)

    await journal.answered(KEY, an_answer(text=text))

    found = await journal.find(KEY)
    assert found is not None
    assert found.text == text


async def test_steps_and_revisions_do_not_share_answers(journal: CallJournal) -> None:
    await journal.open(INTENT)
    await journal.answered(KEY, an_answer())

    assert await journal.find(replace(KEY, step="write/repair-1")) is None
    assert await journal.open(replace(INTENT, key=replace(KEY, revision="f" * 20))) == Opened(1)


async def test_answering_again_changes_nothing(journal: CallJournal, journals: Journals) -> None:
    await journal.open(INTENT)
    await journal.answered(KEY, an_answer())
    await journal.answered(KEY, an_answer())

    assert await journals.states() == [("answered", Decimal("0.00042"))]


async def test_answering_what_was_never_opened_is_a_bug(journal: CallJournal) -> None:
    with pytest.raises(LookupError, match="opened"):
        await journal.answered(KEY, an_answer())


async def test_a_failed_attempt_is_free_and_followed_by_the_next(
    journal: CallJournal, journals: Journals
) -> None:
    await journal.open(INTENT)
    await journal.failed(KEY, 1, "429", billed=False)
    await journal.failed(KEY, 1, "429", billed=False)

    assert await journal.find(KEY) is None
    assert await journal.open(INTENT) == Opened(2)
    assert await journals.states() == [("failed", Decimal(0)), ("open", None)]


async def test_an_attempt_that_may_be_billed_stays_booked_at_its_worst_case(
    journal: CallJournal, journals: Journals
) -> None:
    await journal.open(INTENT)
    await journal.failed(KEY, 1, "timeout", billed=True)

    assert await journals.states() == [("unknown", Decimal("0.0123"))]


async def test_a_failure_never_takes_an_answer_away(journal: CallJournal) -> None:
    await journal.open(INTENT)
    await journal.answered(KEY, an_answer())
    await journal.failed(KEY, 1, "late", billed=False)

    assert await journal.find(KEY) == an_answer()


async def test_one_of_64_tasks_opens_and_all_get_its_answer(journals: Journals) -> None:
    both = [await journals.journal(worker, 20.0) for worker in ("worker-a", "worker-b")]
    bought = []

    async def call(journal: CallJournal) -> JournaledAnswer:
        opened = await journal.open(INTENT)
        if isinstance(opened, JournaledAnswer):
            return opened
        assert isinstance(opened, Opened)
        bought.append(opened)
        await asyncio.sleep(0)
        await journal.answered(KEY, an_answer(opened.attempt))
        return an_answer(opened.attempt)

    answers = await asyncio.gather(*(call(both[number % 2]) for number in range(64)))

    assert bought == [Opened(1)]
    assert answers == [an_answer()] * 64


@pytest.mark.parametrize("worker_id", ["worker-a", "worker-b"])
async def test_a_call_that_a_live_worker_is_at_is_waited_for_but_not_for_ever(
    journals: Journals, worker_id: str
) -> None:
    await (await journals.journal("worker-a", 0.2)).open(INTENT)
    other = await journals.journal(worker_id, 0.2)

    with pytest.raises(ClaimedElsewhereError):
        await other.find(KEY)
    with pytest.raises(ClaimedElsewhereError):
        await other.open(INTENT)
    assert await journals.states() == [("open", None)]


@pytest.mark.parametrize("worker_id", ["worker-a", "worker-b"])
async def test_who_waits_for_a_call_leaves_when_nobody_wants_its_answer(
    journals: Journals, worker_id: str
) -> None:
    await (await journals.journal("worker-a", 60.0)).open(INTENT)
    other = await journals.journal(worker_id, 60.0)
    told = iter([None, None, AbandonedError("the worker stops")])

    with pytest.raises(AbandonedError):
        await other.find(KEY, lambda: next(told))

    assert await journals.states() == [("open", None)]


async def test_a_dead_workers_call_is_booked_and_opened_again(journals: Journals) -> None:
    await (await journals.journal("worker-a", 0.2)).open(INTENT)
    other = await journals.journal("worker-b", 0.2)
    await journals.kill("worker-a")

    assert await other.find(KEY) is None
    assert await other.open(INTENT) == Opened(2)
    assert await journals.states() == [("unknown", Decimal("0.0123")), ("open", None)]


async def test_a_call_in_which_one_worker_after_the_other_dies_is_not_made_again(journals: Journals) -> None:
    for number in range(1, DEATHS_MAX + 1):
        assert await (await journals.journal(f"worker-{number}", 0.2)).open(INTENT) == Opened(number)
        await journals.kill(f"worker-{number}")
    heir = await journals.journal("heir", 0.2)

    with pytest.raises(WorkersDiedError):
        await heir.open(INTENT)
    assert await journals.states() == [("unknown", Decimal("0.0123"))] * DEATHS_MAX
    assert await heir.open(INTENT) == Opened(DEATHS_MAX + 1), "a replay asks once more"
    await journals.kill("heir")
    with pytest.raises(WorkersDiedError):
        await (await journals.journal("last", 0.2)).open(INTENT)


async def test_an_intent_that_its_worker_did_not_hear_of_is_closed_unbilled(journals: Journals) -> None:
    unheard = await journals.journal("worker-a", 0.2)
    journal = await journals.journal("worker-a", 0.2)
    await unheard.open(INTENT)

    await journal.disown(KEY)

    assert await journals.states() == [("failed", Decimal(0))]
    assert await journal.open(INTENT) == Opened(2)


async def test_a_call_that_another_task_is_at_is_not_disowned(journals: Journals) -> None:
    journal, other = await journals.journal("worker-a", 0.2), await journals.journal("worker-b", 0.2)
    await journal.open(INTENT)

    with pytest.raises(ClaimedElsewhereError):
        await journal.disown(KEY)
    await other.disown(KEY)
    assert await journals.states() == [("open", None)]

    await journal.failed(KEY, 1, "500", billed=False)
    await journal.disown(KEY)


async def test_one_of_many_takes_over_from_a_dead_worker(journals: Journals) -> None:
    await (await journals.journal("worker-a", 0.2)).open(INTENT)
    heirs = [await journals.journal(f"heir-{number}", 0.2) for number in range(8)]
    await journals.kill("worker-a")

    results = await asyncio.gather(*(heir.open(INTENT) for heir in heirs), return_exceptions=True)

    assert [result for result in results if isinstance(result, Opened)] == [Opened(2)]
    assert sum(isinstance(result, ClaimedElsewhereError) for result in results) == 7


async def test_a_late_answer_of_a_worker_held_for_dead_is_kept(journals: Journals) -> None:
    zombie, heir = await journals.journal("worker-a", 0.2), await journals.journal("worker-b", 0.2)
    await zombie.open(INTENT)
    await journals.kill("worker-a")
    await heir.open(INTENT)

    await zombie.answered(KEY, an_answer(1))

    assert await heir.find(KEY) == an_answer(1)
    assert await heir.open(INTENT) == an_answer(1)


async def test_two_answers_stay_in_the_ledger_and_the_first_attempt_counts(journals: Journals) -> None:
    zombie, heir = await journals.journal("worker-a", 0.2), await journals.journal("worker-b", 0.2)
    await zombie.open(INTENT)
    await journals.kill("worker-a")
    await heir.open(INTENT)
    await heir.answered(KEY, an_answer(2, "second"))

    assert await heir.find(KEY) == an_answer(2, "second")
    await zombie.answered(KEY, an_answer(1, "first"))

    assert await heir.find(KEY) == an_answer(1, "first")
    assert [state for state, _ in await journals.states()] == ["answered", "answered"]


GIVEN = replace(
    an_answer(),
    cost_usd=Decimal(0),
    usage=Usage(),
    latency_s=0.0,
    instead_of=None,
    trimmed=(),
    cache=CacheResult.HIT,
    saved_usd=Decimal("0.00042"),
)
FREE = replace(INTENT, cost_max_usd=Decimal(0))


async def test_an_adopted_answer_costs_nothing_and_is_found_like_any_other(
    journal: CallJournal, journals: Journals
) -> None:
    assert await journal.adopt(FREE, GIVEN) == await journal.find(KEY)

    found = await journal.find(KEY)
    assert found is not None
    assert (found.text, found.attempt, found.cache) == (GIVEN.text, 1, CacheResult.HIT)
    assert (found.cost_usd, found.saved_usd, found.usage) == (Decimal(0), Decimal("0.00042"), Usage())
    assert await journals.states() == [("answered", Decimal(0))]


async def test_an_adopted_answer_comes_after_failed_attempts(
    journal: CallJournal, journals: Journals
) -> None:
    await journal.open(INTENT)
    await journal.failed(KEY, 1, "503", billed=True)

    adopted = await journal.adopt(FREE, replace(GIVEN, cache=CacheResult.STALE))

    assert adopted.attempt == 2
    assert await journals.states() == [("unknown", Decimal("0.0123")), ("answered", Decimal(0))]


async def test_what_was_answered_first_stays(journal: CallJournal, journals: Journals) -> None:
    await journal.open(INTENT)
    await journal.answered(KEY, an_answer())

    assert await journal.adopt(FREE, replace(GIVEN, text="other")) == an_answer()
    assert await journals.states() == [("answered", Decimal("0.00042"))]


async def test_a_dead_workers_open_intent_is_booked_before_an_answer_is_adopted(journals: Journals) -> None:
    await (await journals.journal("doomed", 0.5)).open(INTENT)
    await journals.kill("doomed")

    adopted = await (await journals.journal("heir", 0.5)).adopt(FREE, GIVEN)

    assert adopted.attempt == 2
    assert await journals.states() == [("unknown", Decimal("0.0123")), ("answered", Decimal(0))]


async def test_who_adopts_waits_for_a_live_worker_and_takes_its_answer(journals: Journals) -> None:
    first, second = [await journals.journal(name, 5.0) for name in ("first", "second")]
    await first.open(INTENT)

    adopting = asyncio.create_task(second.adopt(FREE, GIVEN))
    await asyncio.sleep(0)
    await first.answered(KEY, an_answer())

    assert await adopting == an_answer()
