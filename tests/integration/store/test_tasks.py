"""The task index: late, repeated and disordered writes end in the same row."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain, combinations, permutations
from typing import Any

import pytest

from builders import a_finding, a_finished, a_spend, a_task
from schemas.base import Outcome
from schemas.task import Task
from streams.store.database import Database, Row
from streams.store.task_rows import Progress, TaskRow, finished_row, progress_row
from streams.store.tasks import PostgresTaskIndex

pytestmark = pytest.mark.integration

TASK = a_task()


@pytest.fixture
def index(database: Database) -> PostgresTaskIndex:
    return PostgresTaskIndex(database)


def a_progress(progress: Progress, task: Task = TASK, **changes: Any) -> TaskRow:
    return progress_row(task, progress, **changes)


def an_end(**changes: Any) -> TaskRow:
    return finished_row(a_finished(**changes))


async def state(index: PostgresTaskIndex) -> tuple[str, int]:
    row = await index.get(TASK.submission_id)
    assert row is not None
    return row.state, row.replay


async def test_an_unknown_submission_is_none(index: PostgresTaskIndex) -> None:
    assert await index.get("f" * 20) is None


async def test_a_task_is_indexed_whole(index: PostgresTaskIndex) -> None:
    task = a_task(inputs={"nul": "\0", "list": [1]})
    await index.put([an_end(task=task, title="T\0", findings=(a_finding(),), spend=a_spend(calls=2))])

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
            await index.put([a_progress(progress)])
        assert await state(index) == ("generated", 0)


async def test_one_write_may_hold_a_submission_many_times(index: PostgresTaskIndex) -> None:
    ends = [an_end(outcome=outcome) for outcome in (Outcome.REJECTED, Outcome.PUBLISHED)]

    await index.put([*ends, *(a_progress(progress) for progress in Progress)])

    assert await state(index) == ("rejected", 0)


async def test_a_repair_keeps_the_furthest_point_and_never_lowers_what_was_used(
    index: PostgresTaskIndex,
) -> None:
    await index.put([a_progress(Progress.GENERATED, spend=a_spend(calls=2))])
    await index.put([a_progress(Progress.CLASSIFIED, spend=a_spend(calls=2))])
    await index.put([a_progress(Progress.GENERATED, spend=a_spend(calls=1))])

    row = await index.get(TASK.submission_id)
    assert row is not None
    assert (row.state, row.calls) == ("generated", 2)


async def test_the_first_outcome_stays(index: PostgresTaskIndex) -> None:
    await index.put([an_end(outcome=Outcome.DEAD_LETTERED)])
    await index.put([an_end(outcome=Outcome.PUBLISHED)])
    await index.put([a_progress(Progress.IN_REVIEW)])

    assert await state(index) == ("dead_lettered", 0)


async def test_a_replay_opens_the_task_again_and_late_news_of_the_time_before_change_nothing(
    index: PostgresTaskIndex,
) -> None:
    await index.put([an_end(outcome=Outcome.DEAD_LETTERED)])
    await index.put([a_progress(Progress.CLASSIFIED, replay=1)])
    assert await state(index) == ("classified", 1)

    await index.put([an_end(outcome=Outcome.DEAD_LETTERED)])
    assert await state(index) == ("classified", 1)

    await index.put([an_end(replay=1)])
    assert await state(index) == ("published", 1)


async def test_writers_that_overlap_do_not_block_each_other_for_ever(index: PostgresTaskIndex) -> None:
    rows = [a_progress(Progress.ACCEPTED, task=a_task(row=row)) for row in range(1, 1501)]

    await asyncio.gather(*(index.put(part) for part in (rows, rows[::-1], rows[500:])))

    assert len(await index.submissions(TASK.task_id)) == 100


ROWS = [
    a_progress(Progress.CLASSIFIED, spend=a_spend(calls=3, cost_usd=Decimal("0.5"))),
    a_progress(Progress.GENERATED, title="the page", spend=a_spend(calls=2)),
    a_progress(Progress.VALIDATED, title="the page again", score=0.5, findings=(a_finding(),)),
    an_end(outcome=Outcome.DEAD_LETTERED, title=None, url=None, score=None, reason="no answer"),
    a_progress(Progress.CLASSIFIED, replay=1),
    an_end(outcome=Outcome.PUBLISHED, replay=1, title=None, spend=a_spend(cache_hits=4)),
    an_end(outcome=Outcome.CANCELLED, replay=1),
]


async def test_rows_of_one_write_come_to_what_they_come_to_one_by_one(
    index: PostgresTaskIndex, database: Database
) -> None:
    async def written(*writes: Iterable[TaskRow]) -> list[Row]:
        await database.fetch("DELETE FROM tasks")
        for rows in writes:
            await index.put(rows)
        return await database.fetch("SELECT to_jsonb(t) - '{accepted_at,updated_at}'::text[] FROM tasks t")

    for picked in chain.from_iterable(combinations(ROWS, count) for count in range(2, 5)):
        one_by_one = sorted(picked, key=lambda row: row.state in set(Outcome))
        assert await written(picked) == await written(*([row] for row in one_by_one))


async def test_a_row_that_moves_on_stays_in_its_page_so_that_no_index_is_written(
    index: PostgresTaskIndex, database: Database
) -> None:
    pages = []
    for progress in Progress:
        await index.put(a_progress(progress, task=a_task(row=row)) for row in range(1, 201))
        pages.append(await database.fetch("SELECT (ctid::text::point)[0] FROM tasks ORDER BY row_number"))

    assert all(found == pages[0] for found in pages)
