"""Answers by question: table `answer_cache`."""

from typing import Final

from processors.gateway.cached_answers import AnswerStore, CachedAnswer, CacheKey
from schemas.usage import Usage
from streams.store.database import Database, Row
from streams.store.text import storable

SWEPT_MAX: Final = 4
"""Most rows that one write deletes. More than it adds, so that the table shrinks to what is kept."""


class PostgresAnswerStore(AnswerStore):
    """One row for each question.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: CacheKey) -> CachedAnswer | None:
        """Return the answer to that question, fresh or not; see the port."""
        row = await self._database.fetch_row(SELECT, key.digest)
        return None if row is None else _cached(row)

    async def put(self, key: CacheKey, answer: CachedAnswer) -> None:
        """Keep the answer, then delete what is over; see the port."""
        await self._database.fetch(
            UPSERT,
            *(key.digest, key.tenant, key.recipe, key.step, storable(answer.text), answer.provider),
            *(answer.model, answer.response_model and storable(answer.response_model), answer.simulated),
            *(answer.usage.model_dump(), answer.cost_usd),
            *(answer.answered_at, answer.expires_at, answer.kept_until),
        )
        # A statement of its own: with the row above locked it could wait for another who waits for this one.
        await self._database.fetch(SWEEP, SWEPT_MAX)


def _cached(row: Row) -> CachedAnswer:
    return CachedAnswer(**{**row, "usage": Usage.model_validate(row["usage"])})


SELECT: Final = """
SELECT text, provider, model, response_model, simulated, usage, cost_usd, answered_at, expires_at, kept_until
FROM answer_cache WHERE digest = $1
"""

UPSERT: Final = """
INSERT INTO answer_cache (digest, tenant, recipe, step, text, provider, model, response_model, simulated,
                          usage, cost_usd, answered_at, expires_at, kept_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (digest) DO UPDATE
SET text = excluded.text, provider = excluded.provider, model = excluded.model,
    response_model = excluded.response_model, simulated = excluded.simulated, usage = excluded.usage,
    cost_usd = excluded.cost_usd, answered_at = excluded.answered_at, expires_at = excluded.expires_at,
    kept_until = excluded.kept_until
"""

# A row that is written anew at this moment is locked, and skipped.
SWEEP: Final = """
DELETE FROM answer_cache WHERE digest IN (
    SELECT digest FROM answer_cache WHERE kept_until < now() ORDER BY kept_until LIMIT $1
    FOR UPDATE SKIP LOCKED
)
"""
