"""Answers of the cache made durable as answers of a call: rows of `model_calls` at a price of 0."""

from typing import Final

from processors.gateway.journal import CallIntent, JournaledAnswer
from streams.store.database import Database
from streams.store.text import storable


async def adopt(
    database: Database, worker_id: str, intent: CallIntent, answer: JournaledAnswer
) -> int | None:
    """Insert the answer as the next attempt of the call.

    Args:
        database: where the rows are.
        worker_id: this process.
        intent: the call.
        answer: the answer.

    Returns:
        The attempt; None when one is open or answered.

    Raises:
        StoreUnavailableError: the database is away.
    """
    task = intent.task
    row = await database.fetch_row(
        ADOPT,
        *(intent.key.revision, intent.key.step, worker_id),
        *(task.task_id, task.submission_id, task.batch_id, task.tenant, task.team, task.feature),
        *(intent.recipe, intent.provider, intent.model, intent.simulated, intent.degraded_by),
        *(storable(answer.text), answer.response_model and storable(answer.response_model)),
        *(answer.answered_at, answer.cache, answer.saved_usd),
    )
    return None if row is None else row["attempt"]


# Of two that count the same attempts the primary key lets one through.
ADOPT: Final = """
INSERT INTO model_calls (
    revision, step, attempt, state, worker_id, task_id, submission_id, batch_id, tenant, team, feature,
    recipe, provider, model, simulated, degraded_by, text, response_model, closed_at, cache, saved_usd,
    finish_reason, latency_s, cost_max_usd, cost_usd
)
SELECT $1, $2, coalesce(max(attempt), 0) + 1, 'answered', $3, $4, $5, $6, $7, $8, $9,
       $10, $11, $12, $13::boolean, $14, $15, $16, $17::timestamptz, $18, $19::numeric, 'stop', 0, 0, 0
FROM model_calls
WHERE revision = $1 AND step = $2
HAVING coalesce(bool_and(state IN ('failed', 'unknown')), true)
ON CONFLICT DO NOTHING
RETURNING attempt
"""
