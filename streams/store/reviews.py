"""Pages that wait for a person: table `reviews`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.events import ReviewDecided, ReviewRequested, TaskValidated
from streams.store.database import Database, Row
from streams.store.text import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One held page and what was decided, if anything was.

    Attributes:
        held: what is published if the reviewer approves.
        reason: why a machine may not decide.
        requested_at: when it was held.
        traceparent: trace context of the request, or None.
        decided: the decision, or None while it waits.
    """

    held: TaskValidated
    reason: str
    requested_at: datetime
    traceparent: str | None
    decided: ReviewDecided | None


class PostgresReviews:
    """Reviews by submission; each request is decided once.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, request: ReviewRequested, traceparent: str | None) -> None:
        """Store a held page. The same page again changes nothing; another one opens the review anew.

        Raises:
            StoreUnavailableError: the database is away.
        """
        held = request.held.model_dump(mode="json")
        await self._database.fetch(
            UPSERT, request.held.task.submission_id, held, storable(request.reason), traceparent
        )

    async def get(self, submission_id: str) -> Review | None:
        """Return that submission's review, or None.

        Raises:
            StoreUnavailableError: the database is away.
        """
        row = await self._database.fetch_row(SELECT, submission_id)
        return None if row is None else _review(row)

    async def pending(self, count_max: int) -> Sequence[Review]:
        """Return at most `count_max` reviews that wait for a person, the oldest first.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return [_review(row) for row in await self._database.fetch(SELECT_PENDING, count_max)]

    async def decide(self, decision: ReviewDecided) -> bool:
        """Store the decision if none is there. Returns False when it was decided before, or never asked.

        Raises:
            StoreUnavailableError: the database is away.
        """
        row = await self._database.fetch_row(
            UPDATE_DECIDED,
            *(decision.submission_id, decision.decided_at, decision.approved),
            *(decision.reviewer, storable(decision.reason)),
        )
        return row is not None


def _review(row: Row) -> Review:
    held = TaskValidated.model_validate_json(row["held"])
    decided = None
    if row["decided_at"] is not None:
        decided = ReviewDecided(
            task_id=held.task.task_id,
            submission_id=row["submission_id"],
            approved=row["approved"],
            reviewer=row["reviewer"],
            reason=row["decision_reason"],
            decided_at=row["decided_at"],
        )
    return Review(
        held=held,
        reason=row["reason"],
        requested_at=row["requested_at"],
        traceparent=row["traceparent"],
        decided=decided,
    )


# A record of the broker may come twice; only another page is another question.
UPSERT: Final = """
INSERT INTO reviews AS r (submission_id, held, reason, traceparent) VALUES ($1, $2, $3, $4)
ON CONFLICT (submission_id) DO UPDATE
SET held = excluded.held, reason = excluded.reason, requested_at = now(), traceparent = excluded.traceparent,
    decided_at = NULL, approved = NULL, reviewer = NULL, decision_reason = NULL
WHERE r.held::text <> excluded.held::text
"""

SELECT: Final = """
SELECT submission_id, held::text AS held, reason, requested_at, traceparent,
       decided_at, approved, reviewer, decision_reason
FROM reviews WHERE submission_id = $1
"""

SELECT_PENDING: Final = """
SELECT submission_id, held::text AS held, reason, requested_at, traceparent,
       decided_at, approved, reviewer, decision_reason
FROM reviews WHERE decided_at IS NULL ORDER BY requested_at, submission_id LIMIT $1
"""

UPDATE_DECIDED: Final = """
UPDATE reviews SET decided_at = $2, approved = $3, reviewer = $4, decision_reason = $5
WHERE submission_id = $1 AND decided_at IS NULL
RETURNING submission_id
"""
