"""Which dead letters were sent back: table `dead_letter_replays`."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from streams.dead_letters import Position
from streams.store.database import Database
from streams.store.text import storable

CLAIM_S_MAX: Final = 120.0
"""Seconds that a claim holds: longer than one send may take (`streams.replay.SEND_S_MAX`)."""


class PostgresReplays:
    """Each dead letter is sent back once: claimed (`sending`), sent, then recorded (`sent`).

    A run that died in between leaves a claim; after CLAIM_S_MAX seconds another run takes it over and sends
    again. If the dead run had sent it too, the copies have equal replay counts: the same event ids follow
    from both, the journal answers the second one's calls, and the task index counts them as one.

    Args:
        database: where the rows are.
        claim_s_max: seconds after which a claim is a dead run's.
    """

    def __init__(self, database: Database, claim_s_max: float = CLAIM_S_MAX) -> None:
        self._database = database
        self._claim_max = timedelta(seconds=claim_s_max)

    async def replayed_at(self, positions: Iterable[Position]) -> Mapping[Position, datetime]:
        """Return when those of `positions` that were sent back were.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT_SENT, *_columns(positions))
        return {Position(row["topic"], row["partition"], row["offset"]): row["replayed_at"] for row in rows}

    async def claim(self, positions: Iterable[Position], *, replay_id: str, by: str) -> frozenset[Position]:
        """Return those of `positions` that this run may send now; the others are sent, or another run's.

        Args:
            positions: dead letters, each once.
            replay_id: identity of this run.
            by: who replays.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(
            CLAIM, *_columns(positions), replay_id, storable(by), self._claim_max
        )
        return frozenset(Position(row["topic"], row["partition"], row["offset"]) for row in rows)

    async def sent(self, positions: Iterable[Position], *, replay_id: str) -> None:
        """Record that the broker has acknowledged what this run sent.

        Raises:
            StoreUnavailableError: the database is away.
        """
        await self._database.fetch(UPDATE_SENT, *_columns(positions), replay_id)

    async def release(self, positions: Iterable[Position], *, replay_id: str) -> None:
        """Give up this run's claims on what could not be sent: the next run need not wait.

        Raises:
            StoreUnavailableError: the database is away.
        """
        await self._database.fetch(DELETE_CLAIM, *_columns(positions), replay_id)


def _columns(positions: Iterable[Position]) -> tuple[list[str], list[int], list[int]]:
    # In one order for every run: two that claim the same rows wait for each other, not in a circle.
    ordered = sorted(positions)
    return (
        [place.topic for place in ordered],
        [place.partition for place in ordered],
        [place.offset for place in ordered],
    )


SELECT_SENT: Final = """
SELECT topic, partition, "offset", replayed_at
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS asked (topic, partition, "offset")
JOIN dead_letter_replays USING (topic, partition, "offset")
WHERE state = 'sent'
"""

CLAIM: Final = """
INSERT INTO dead_letter_replays AS r (topic, partition, "offset", replay_id, by, state)
SELECT topic, partition, "offset", $4, $5, 'sending'
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS asked (topic, partition, "offset")
ON CONFLICT (topic, partition, "offset") DO UPDATE
SET replay_id = excluded.replay_id, by = excluded.by, replayed_at = now()
WHERE r.state = 'sending' AND r.replayed_at <= now() - $6::interval
RETURNING topic, partition, "offset"
"""

UPDATE_SENT: Final = """
UPDATE dead_letter_replays AS r SET state = 'sent', replayed_at = now()
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS asked (topic, partition, "offset")
WHERE r.topic = asked.topic AND r.partition = asked.partition AND r."offset" = asked."offset"
  AND r.replay_id = $4
"""

DELETE_CLAIM: Final = """
DELETE FROM dead_letter_replays AS r
USING unnest($1::text[], $2::integer[], $3::bigint[]) AS asked (topic, partition, "offset")
WHERE r.topic = asked.topic AND r.partition = asked.partition AND r."offset" = asked."offset"
  AND r.replay_id = $4 AND r.state = 'sending'
"""
