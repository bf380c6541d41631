"""Loads, their counts and results."""

from decimal import Decimal

import pytest

from builders import a_finished, a_spend, a_task
from schemas.base import Lane, Outcome
from streams.store.batches import Batch, PostgresBatches
from streams.store.database import Database
from streams.store.task_rows import Progress, finished_row, progress_row
from streams.store.tasks import PostgresTaskIndex

pytestmark = pytest.mark.integration

BATCH = Batch(
    batch_id="batch-1",
    recipe_name="flight-route",
    recipe_version="0123456789ab",
    tenant="acme",
    source="routes.csv",
    source_digest="d" * 64,
    rows_total=10,
    lane=Lane.BULK,
)
SPEND = a_spend(cache_hits=2, saved_usd=Decimal("0.25"))


async def test_a_load_is_made_once(database: Database) -> None:
    batches = PostgresBatches(database)

    assert await batches.create(BATCH)
    assert not await batches.create(BATCH)

    status = await batches.get("batch-1")
    assert status is not None
    assert (status.batch, status.rows_sent, status.states, status.balance_unsent) == (BATCH, 0, {}, 10)
    assert await batches.get("batch-2") is None
    assert [found.batch for found in await batches.find_by_digest("d" * 64)] == [BATCH]
    assert await batches.find_by_digest("e" * 64) == []
    assert [found.batch for found in await batches.newest(5)] == [BATCH]


async def test_the_counts_of_a_load_add_up(database: Database) -> None:
    batches, index = PostgresBatches(database), PostgresTaskIndex(database)
    await batches.create(BATCH)
    await batches.set_sent("batch-1", 9)
    await batches.set_sent("batch-1", 8)
    await index.put(
        progress_row(a_task(row=row), progress)
        for row, progress in enumerate([Progress.ACCEPTED, Progress.GENERATED, Progress.IN_REVIEW], start=1)
    )
    await index.put(
        finished_row(a_finished(task=a_task(row=row), outcome=outcome, spend=SPEND))
        for row, outcome in enumerate([Outcome.PUBLISHED, Outcome.PUBLISHED, Outcome.REJECTED], start=4)
    )

    status = await batches.get("batch-1")

    assert status is not None
    assert status.states == {"accepted": 1, "generated": 1, "in_review": 1, "published": 2, "rejected": 1}
    assert (status.accepted, status.finished, status.calls, status.output_tokens) == (6, 3, 3, 900)
    assert (status.cache_hits, status.saved_usd) == (6, Decimal("0.75"))
    assert (status.balance_unsent, status.balance_unaccepted, status.balance_under_way) == (1, 3, 2)
    assert not await batches.set_finished("batch-1")


async def test_a_load_is_finished_when_every_row_has_an_outcome(database: Database) -> None:
    batches = PostgresBatches(database)
    await batches.create(BATCH)
    await PostgresTaskIndex(database).put(
        finished_row(a_finished(task=a_task(row=row))) for row in range(1, 11)
    )

    assert await batches.set_finished("batch-1")
    assert await batches.set_finished("batch-1")

    status = await batches.get("batch-1")
    assert status is not None
    assert status.finished_at is not None


async def test_results_come_in_row_order_over_many_reads(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.store.batches.RESULT_ROWS", 3)
    rows = [5, 3, 1, 10, 2, 4, 7, 6, 9, 8]
    await PostgresTaskIndex(database).put(finished_row(a_finished(task=a_task(row=row))) for row in rows)

    results = [task.row_number async for task in PostgresBatches(database).results("batch-1")]

    assert results == sorted(rows)


async def test_the_public_views_can_be_read(database: Database) -> None:
    for view in ("tasks", "batches", "model_calls", "publications", "answer_cache"):
        assert await database.fetch(f"SELECT * FROM public_{view}") == []  # noqa: S608 - names above
