"""The task index: how far each submission is, or how it ended. Table `tasks`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from streams.store.database import Database, Row
from streams.store.task_rows import TaskRow, merged

UPSERT_ROWS_MAX: Final = 2000
SUBMISSIONS_MAX: Final = 100
NEIGHBOURS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedTask:
    """One submission as the index has it.

    Attributes:
        submission_id: identity of the submission.
        task_id: identity of the task.
        batch_id: its load, or None.
        row_number: its row in the load from 1, or 0.
        recipe: as the task names it.
        tenant: whose it is.
        stage: the stage that it is before, or that ended it.
        state: a `Progress` or an `Outcome`.
        reason: why it ended or is held, may be empty.
        title: of its page, if there is one.
        url: of its page, if published.
        score: of its page, from 0 to 1.
        findings: of the checks, as JSON objects.
        calls: paid model calls.
        input_tokens: of those calls.
        output_tokens: of those calls.
        cost_usd: of those calls.
        cache_hits: answers of the cache.
        saved_usd: what those cost when they were bought.
        replay: times that it came back from a dead-letter topic.
        inputs: as submitted.
        accepted_at: when the index first saw it.
        updated_at: when the row last changed.
    """

    submission_id: str
    task_id: str
    batch_id: str | None
    row_number: int
    recipe: str
    tenant: str
    stage: str
    state: str
    reason: str
    title: str | None
    url: str | None
    score: float | None
    findings: tuple[dict[str, JsonValue], ...]
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    cache_hits: int
    saved_usd: Decimal
    replay: int
    inputs: dict[str, JsonValue]
    accepted_at: datetime
    updated_at: datetime


class PostgresTaskIndex:
    """Writes may come late, twice and in any order; the row ends up the same.

    The greater `replay` wins. Within a replay the furthest point wins: a repair that leads back to classify
    leaves the row where it was. The first outcome stays. What was used never goes down.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, rows: Iterable[TaskRow]) -> None:
        """Record how far tasks are, or how they ended.

        Raises:
            StoreUnavailableError: the database is away; some of the rows may be recorded.
        """
        each = merged(rows)
        for first in range(0, len(each), UPSERT_ROWS_MAX):
            columns = zip(*each[first : first + UPSERT_ROWS_MAX], strict=True)
            await self._database.fetch(UPSERT, *(list(column) for column in columns))

    async def get(self, submission_id: str) -> IndexedTask | None:
        """Return that submission, or None.

        Raises:
            StoreUnavailableError: the database is away.
        """
        row = await self._database.fetch_row(SELECT_SUBMISSION, submission_id)
        return None if row is None else indexed_task(row)

    async def submissions(self, task_id: str) -> Sequence[IndexedTask]:
        """Return the submissions of that task, newest first, at most SUBMISSIONS_MAX.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return [
            indexed_task(row) for row in await self._database.fetch(SELECT_TASK, task_id, SUBMISSIONS_MAX)
        ]

    async def neighbours(self, task_id: str) -> Sequence[str]:
        """Return the ids of tasks that stand next to `task_id` in order, at most NEIGHBOURS_MAX a side.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT_NEIGHBOURS, task_id, NEIGHBOURS_MAX)
        return [row["task_id"] for row in rows]


def indexed_task(row: Row) -> IndexedTask:
    """Return the row of the columns COLUMNS as a value."""
    return IndexedTask(**{**row, "findings": tuple(row["findings"])})


# The order of this list is that of TaskRow. One row for each submission, in order: writers that overlap wait.
UPSERT: Final = """
INSERT INTO tasks AS t (submission_id, task_id, batch_id, row_number, recipe, tenant, inputs,
                        stage, state, reason, title, url, score, findings,
                        calls, input_tokens, output_tokens, cost_usd, cache_hits, saved_usd, replay)
SELECT submission_id, task_id, batch_id, row_number, recipe, tenant, inputs::json,
       stage, state::task_state, reason, title, url, score, findings::json,
       calls, input_tokens, output_tokens, cost_usd, cache_hits, saved_usd, replay
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::double precision[],
            $14::text[], $15::integer[], $16::bigint[], $17::bigint[], $18::numeric[], $19::integer[],
            $20::numeric[], $21::integer[])
     AS new (submission_id, task_id, batch_id, row_number, recipe, tenant, inputs,
             stage, state, reason, title, url, score, findings,
             calls, input_tokens, output_tokens, cost_usd, cache_hits, saved_usd, replay)
ON CONFLICT (submission_id) DO UPDATE
SET stage = excluded.stage, state = excluded.state, reason = excluded.reason,
    title = coalesce(excluded.title, t.title), url = excluded.url,
    score = excluded.score, findings = excluded.findings, replay = excluded.replay,
    calls = greatest(t.calls, excluded.calls),
    input_tokens = greatest(t.input_tokens, excluded.input_tokens),
    output_tokens = greatest(t.output_tokens, excluded.output_tokens),
    cost_usd = greatest(t.cost_usd, excluded.cost_usd),
    cache_hits = greatest(t.cache_hits, excluded.cache_hits),
    saved_usd = greatest(t.saved_usd, excluded.saved_usd),
    updated_at = now()
WHERE excluded.replay > t.replay
   OR (excluded.replay = t.replay AND excluded.state >= t.state AND t.state < 'published')
"""

COLUMNS: Final = """submission_id, task_id, batch_id, row_number, recipe, tenant, stage, state::text AS state,
       reason, title, url, score, findings, calls, input_tokens, output_tokens, cost_usd, cache_hits,
       saved_usd, replay, inputs, accepted_at, updated_at"""

SELECT_SUBMISSION: Final = f"SELECT {COLUMNS} FROM tasks WHERE submission_id = $1"  # noqa: S608 - constant

SELECT_TASK: Final = f"""
SELECT {COLUMNS} FROM tasks WHERE task_id = $1
ORDER BY accepted_at DESC, submission_id LIMIT $2
"""  # noqa: S608 - constant

SELECT_NEIGHBOURS: Final = """
SELECT task_id FROM (
    (SELECT DISTINCT task_id FROM tasks WHERE task_id < $1 ORDER BY task_id DESC LIMIT $2)
    UNION ALL
    (SELECT DISTINCT task_id FROM tasks WHERE task_id > $1 ORDER BY task_id LIMIT $2)
) near ORDER BY task_id
"""
