"""Loads and their counts: table `batches`, view `public_batches`."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Final

from schemas.base import Lane
from streams.store.database import Database, Row
from streams.store.tasks import COLUMNS, IndexedTask, indexed_task
from streams.store.text import storable

RESULT_ROWS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A load as it is made.

    Attributes:
        batch_id: identity of the load.
        recipe_name: recipe of its tasks.
        recipe_version: version that they are bound to.
        tenant: whose load it is.
        source: what was loaded, such as a file's name.
        source_digest: sha256 of its content, 64 hex digits.
        rows_total: tasks that it has.
        lane: queue that they travel in.
    """

    batch_id: str
    recipe_name: str
    recipe_version: str
    tenant: str
    source: str
    source_digest: str
    rows_total: int
    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """A load and its counts; `rows_total` = `finished` + `in_review` + the three balances, always.

    Attributes:
        batch: the load.
        rows_sent: tasks that the broker has acknowledged.
        created_at: when the load was made.
        finished_at: when every task was found ended, or None.
        accepted: tasks that the index has seen.
        finished: tasks that have an outcome.
        states: how many tasks are in each state, by `Progress` and `Outcome`; zeros are left out.
        balance_unsent: tasks not yet sent.
        balance_unaccepted: tasks sent but not yet seen; never below 0 once the load has stopped sending.
        balance_under_way: tasks seen that neither ended nor wait for a person.
        calls: paid model calls.
        input_tokens: of those calls.
        output_tokens: of those calls.
        cost_usd: of those calls.
        cache_hits: answers of the cache.
        saved_usd: what those cost when they were bought.
    """

    batch: Batch
    rows_sent: int
    created_at: datetime
    finished_at: datetime | None
    accepted: int
    finished: int
    states: dict[str, int]
    balance_unsent: int
    balance_unaccepted: int
    balance_under_way: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    cache_hits: int
    saved_usd: Decimal


class PostgresBatches:
    """Loads by id and by the content of their source.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, batch: Batch) -> bool:
        """Store a new load. Returns False when that id is there already; nothing is changed then.

        Raises:
            StoreUnavailableError: the database is away.
        """
        row = await self._database.fetch_row(
            INSERT,
            *(batch.batch_id, batch.recipe_name, batch.recipe_version, batch.tenant),
            *(storable(batch.source), batch.source_digest, batch.rows_total, batch.lane.value),
        )
        return row is not None

    async def set_sent(self, batch_id: str, rows_sent: int) -> None:
        """Record how many rows the broker has acknowledged; the count never goes down.

        Raises:
            StoreUnavailableError: the database is away.
        """
        await self._database.fetch(UPDATE_SENT, batch_id, rows_sent)

    async def set_finished(self, batch_id: str) -> bool:
        """Record that the load is finished, if every row has an outcome. Returns whether it is.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return await self._database.fetch_row(UPDATE_FINISHED, batch_id) is not None

    async def get(self, batch_id: str) -> BatchStatus | None:
        """Return the load with its counts, or None.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT_BATCH, batch_id)
        return _status(rows[0]) if rows else None

    async def simulated(self, batch_id: str) -> bool:
        """Return whether a model call of the load was answered by a simulation.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return await self._database.fetch_row(SELECT_SIMULATED, batch_id) is not None

    async def find_by_digest(self, source_digest: str) -> Sequence[BatchStatus]:
        """Return the loads of a source with this content, newest first.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return [_status(row) for row in await self._database.fetch(SELECT_DIGEST, source_digest)]

    async def newest(self, count: int) -> Sequence[BatchStatus]:
        """Return the `count` newest loads, newest first.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return [_status(row) for row in await self._database.fetch(SELECT_NEWEST, count)]

    async def results(self, batch_id: str) -> AsyncIterator[IndexedTask]:
        """Yield the load's tasks in row order, RESULT_ROWS at a time: memory does not grow with the load.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT_RESULTS, batch_id, -1, "", RESULT_ROWS)
        while rows:  # each round moves forward over a finite table
            for row in rows:
                yield indexed_task(row)
            last = rows[-1]
            rows = await self._database.fetch(
                SELECT_RESULTS, batch_id, last["row_number"], last["submission_id"], RESULT_ROWS
            )


def _status(row: Row) -> BatchStatus:
    of_batch = {field.name for field in fields(Batch)}
    of_status = {field.name for field in fields(BatchStatus)} - {"batch"}
    batch = Batch(**{name: row[name] for name in of_batch - {"lane"}}, lane=Lane(row["lane"]))
    return BatchStatus(batch=batch, **{name: row[name] for name in of_status})


INSERT: Final = """
INSERT INTO batches (batch_id, recipe_name, recipe_version, tenant, source, source_digest, rows_total, lane)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
RETURNING batch_id
"""

UPDATE_SENT: Final = "UPDATE batches SET rows_sent = greatest(rows_sent, $2) WHERE batch_id = $1"

UPDATE_FINISHED: Final = """
UPDATE batches SET finished_at = coalesce(finished_at, now())
WHERE batch_id = $1 AND rows_total <= (SELECT finished FROM public_batches WHERE batch_id = $1)
RETURNING batch_id
"""

SELECT_BATCH: Final = "SELECT * FROM public_batches WHERE batch_id = $1"

SELECT_SIMULATED: Final = "SELECT 1 FROM model_calls WHERE batch_id = $1 AND simulated LIMIT 1"

SELECT_DIGEST: Final = """
SELECT * FROM public_batches WHERE source_digest = $1 ORDER BY created_at DESC, batch_id
"""

SELECT_NEWEST: Final = "SELECT * FROM public_batches ORDER BY created_at DESC, batch_id LIMIT $1"

SELECT_RESULTS: Final = f"""
SELECT {COLUMNS} FROM tasks WHERE batch_id = $1 AND (row_number, submission_id) > ($2, $3)
ORDER BY row_number, submission_id LIMIT $4
"""  # noqa: S608 - constant
