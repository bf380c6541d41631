"""Answers by question: tables `answer_cache` and `answer_flights`."""

from typing import Final

from processors.gateway.cached_answers import AnswerStore, CachedAnswer, CacheKey
from processors.gateway.flights import WAIT_S_MAX
from schemas.usage import Usage
from streams.store.database import Database, Row
from streams.store.text import storable

SWEPT_MAX: Final = 4
"""Most rows that one write deletes. More than it adds, so that the table shrinks to what is kept."""


class PostgresAnswerStore(AnswerStore):
    """One row for each question, and one for each that a worker is asking: table `answer_flights`.

    Args:
        database: where the rows are.
        worker_id: this process; it holds a `WorkerLease`.
        lead_s_max: seconds after which another worker may lead a flight too.
    """

    def __init__(self, database: Database, worker_id: str, *, lead_s_max: float = WAIT_S_MAX) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lead_s_max = lead_s_max

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

    async def lead(self, flight: str) -> bool:
        """Return whether this worker is to ask; see the port."""
        return bool(await self._database.fetch(LEAD, flight, self._worker_id, self._lead_s_max))

    async def land(self, flight: str) -> None:
        """Let other workers lead the flight, if this one does; see the port."""
        await self._database.fetch(LAND, flight, self._worker_id)


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

# The table is not logged: who leads need not survive a crash of the database, and nobody waits for a flush.
LEAD: Final = """
INSERT INTO answer_flights AS f (flight, worker_id, led_at) VALUES ($1, $2, now())
ON CONFLICT (flight) DO UPDATE SET worker_id = excluded.worker_id, led_at = excluded.led_at
WHERE f.worker_id = excluded.worker_id OR NOT worker_is_live(f.worker_id)
      OR f.led_at < now() - make_interval(secs => $3)
RETURNING flight
"""

LAND: Final = "DELETE FROM answer_flights WHERE flight = $1 AND worker_id = $2"

# A row that is written anew at this moment is locked, and skipped.
SWEEP: Final = """
DELETE FROM answer_cache WHERE digest IN (
    SELECT digest FROM answer_cache WHERE kept_until < now() ORDER BY kept_until LIMIT $1
    FOR UPDATE SKIP LOCKED
)
"""
