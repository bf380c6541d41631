"""The task index: late, repeated and disordered writes end in the same row."""

import asyncio
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from builders import a_finding, a_finished, a_spend, a_task
from schemas.base import Outcome
from schemas.events import Spend
from streams.store.database import Database
from streams.store.tasks import PostgresTaskIndex, Progress, TaskProgress

pytestmark = pytest.mark.integration

TASK = a_task()


@pytest.fixture
def index(database: Database) -> PostgresTaskIndex:
    return PostgresTaskIndex(database)


def a_progress(progress: Progress, **changes: Any) -> TaskProgress:
    return TaskProgress(**{"task": TASK, "progress": progress, **changes})


async def state(index: PostgresTaskIndex) -> tuple[str, int]:
    row = await index.get(TASK.submission_id)
    assert row is not None
    return row.state, row.replay


async def test_an_unknown_submission_is_none(index: PostgresTaskIndex) -> None:
    assert await index.get("f" * 20) is None


async def test_a_task_is_indexed_whole(index: PostgresTaskIndex) -> None:
    task = a_task(inputs={"nul": "\0", "list": [1]})
    await index.finish([a_finished(task=task, title="T\0", findings=(a_finding(),), spend=a_spend(calls=2))])

    [row] = await index.submissions(task.task_id)

    assert (row.state, row.stage, row.title, row.row_number) == ("published", "publish", "T\ufffd", 1)
    assert row.inputs == {"nul": "\0", "list": [1]}
    assert row.findings == (a_finding().model_dump(mode="json"),)
    assert (row.calls, row.input_tokens, row.output_tokens, row.cost_usd) == (2, 400, 300, Decimal("0.001"))


async def test_the_furthest_point_is_kept_in_every_order_of_writes(database: Database) -> None:
    index = PostgresTaskIndex(database)
    for order in permutations([Progress.ACCEPTED, Progress.CLASSIFIED, Progress.GENERATED]):
        await database.fetch("DELETE FROM tasks")
        for progress in order:
            await index.upsert_progress([a_progress(progress)])
        assert await state(index) == ("generated", 0)


async def test_one_write_may_hold_a_submission_many_times(index: PostgresTaskIndex) -> None:
    await index.upsert_progress([a_progress(progress) for progress in Progress])
    await index.finish([a_finished(outcome=outcome) for outcome in (Outcome.REJECTED, Outcome.PUBLISHED)])

    assert await state(index) == ("rejected", 0)


async def test_a_repair_keeps_the_furthest_point_and_never_lowers_what_was_used(
    index: PostgresTaskIndex,
) -> None:
    await index.upsert_progress([a_progress(Progress.GENERATED, spend=a_spend(calls=2))])
    await index.upsert_progress([a_progress(Progress.CLASSIFIED, spend=a_spend(calls=2))])
    await index.upsert_progress([a_progress(Progress.GENERATED, spend=a_spend(calls=1))])

    row = await index.get(TASK.submission_id)
    assert row is not None
    assert (row.state, row.calls) == ("generated", 2)


async def test_the_first_outcome_stays(index: PostgresTaskIndex) -> None:
    await index.finish([a_finished(outcome=Outcome.DEAD_LETTERED)])
    await index.finish([a_finished(outcome=Outcome.PUBLISHED)])
    await index.upsert_progress([a_progress(Progress.IN_REVIEW)])

    assert await state(index) == ("dead_lettered", 0)


async def test_a_replay_opens_the_task_again_and_late_news_of_the_time_before_change_nothing(
    index: PostgresTaskIndex,
) -> None:
    await index.finish([a_finished(outcome=Outcome.DEAD_LETTERED)])
    await index.upsert_progress([a_progress(Progress.CLASSIFIED, replay=1)])
    assert await state(index) == ("classified", 1)

    await index.finish([a_finished(outcome=Outcome.DEAD_LETTERED)])
    assert await state(index) == ("classified", 1)

    await index.finish([a_finished(replay=1)])
    assert await state(index) == ("published", 1)


async def test_writers_that_overlap_do_not_block_each_other_for_ever(index: PostgresTaskIndex) -> None:
    rows = [a_progress(Progress.ACCEPTED, task=a_task(row=row), spend=Spend()) for row in range(1, 1501)]

    await asyncio.gather(*(index.upsert_progress(part) for part in (rows, rows[::-1], rows[500:])))

    assert len(await index.submissions(TASK.task_id)) == 100
