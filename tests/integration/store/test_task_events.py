"""The events and calls of a submission, on PostgreSQL."""

from datetime import timedelta
from decimal import Decimal

import pytest

from builders import NOW, a_finished, a_task, a_usage
from fakes.journaled_answer import a_journaled_answer
from fakes.task_path import a_planned_event, an_event
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer, Opened
from schemas.task import Task
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal
from streams.store.task_calls import PostgresTaskCalls
from streams.store.task_events import EventKind, PostgresTaskEvents
from streams.store.task_rows import finished_row
from streams.store.tasks import PostgresTaskIndex

pytestmark = pytest.mark.integration

TASK = a_task()
LATER_TASK = a_task(batch_id="batch-2")
REVISION = TASK.revision("0123456789ab")
KEY = CallKey(revision=REVISION, step="write")


def an_intent(task: Task) -> CallIntent:
    return CallIntent(
        key=KEY,
        task=task,
        recipe="r@1",
        provider="openai",
        model="small-1",
        simulated=False,
        cost_max_usd=Decimal(1),
    )


def an_answer(attempt: int) -> JournaledAnswer:
    return a_journaled_answer(
        attempt,
        text="secret",
        provider="openai",
        simulated=False,
        cost_usd=Decimal("0.002"),
        submission_id=TASK.submission_id,
        latency_s=1.5,
        answered_at=NOW,
        first_token_s=0.25,
        response_model="small-1-2026",
        trimmed=("examples",),
    )


async def test_events_come_back_whole_and_in_order_and_the_first_of_an_id_stays(database: Database) -> None:
    events = PostgresTaskEvents(database)
    planned = a_planned_event(at=NOW, timing_s={"call": 1.5})
    finished = an_event(EventKind.FINISHED, at=NOW + timedelta(seconds=3), detail={"reason": "nul \0"})

    await events.put([finished, planned])
    await events.put([an_event(EventKind.FINISHED, at=NOW, offset=99)])
    await events.put([])

    assert await events.of(TASK.submission_id) == [planned, finished]
    assert await events.of("f" * 20) == []


async def test_the_calls_of_a_submission_are_its_attempts_and_what_it_was_given(database: Database) -> None:
    journal, calls = PostgresCallJournal(database, "worker-1"), PostgresTaskCalls(database)
    first = await journal.open(an_intent(TASK))
    assert isinstance(first, Opened)
    await journal.failed(KEY, first.attempt, "ProviderTimeoutError: slow", billed=True)
    second = await journal.open(an_intent(TASK))
    assert isinstance(second, Opened)
    await journal.answered(KEY, an_answer(second.attempt))

    own = await calls.of(TASK.submission_id, [REVISION], NOW)
    given = await calls.of(LATER_TASK.submission_id, [REVISION], NOW)
    too_early = await calls.of(LATER_TASK.submission_id, [REVISION], NOW - timedelta(seconds=1))

    assert [(c.attempt, c.state, c.cost_usd, c.replayed) for c in own] == [
        (1, "unknown", Decimal(1), False),
        (2, "answered", Decimal("0.002"), False),
    ]
    assert own[0].error == "ProviderTimeoutError: slow"
    assert (own[1].response_model, own[1].first_token_s, own[1].usage) == ("small-1-2026", 0.25, a_usage())
    assert [call.trimmed for call in own] == [(), ("examples",)]
    assert [(c.attempt, c.replayed) for c in given] == [(2, True)]
    assert too_early == []


async def test_an_answer_comes_back_with_who_gave_it_and_how_soon(database: Database) -> None:
    journal = PostgresCallJournal(database, "worker-1")
    opened = await journal.open(an_intent(TASK))
    assert isinstance(opened, Opened)
    await journal.answered(KEY, an_answer(opened.attempt))

    assert await journal.find(KEY) == an_answer(opened.attempt)


async def test_an_unknown_tasks_neighbours_in_order_are_found(database: Database) -> None:
    index = PostgresTaskIndex(database)
    ids = [f"row-{n}" for n in range(1, 10)]
    ends = [a_finished(task=a_task(task_id=task_id, row=1)) for task_id in (*ids, ids[0])]
    await index.put(map(finished_row, ends))

    assert await index.neighbours("row-45") == ["row-2", "row-3", "row-4", "row-5", "row-6", "row-7"]
    assert await index.neighbours("a") == ["row-1", "row-2", "row-3"]
