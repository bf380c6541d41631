"""Loads in memory; what tasks became of them is set by the test."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from processors.errors import StoreUnavailableError
from schemas.base import Lane, Outcome
from streams.store.batches import Batch, BatchStatus
from streams.store.task_rows import Progress


def a_batch(**changes: object) -> Batch:
    batch = Batch(
        batch_id="b1-1",
        recipe_name="cities",
        recipe_version="0123456789ab",
        tenant="default",
        source="rows.csv",
        source_digest="d" * 64,
        rows_total=10,
        lane=Lane.BULK,
    )
    return replace(batch, **changes)  # type: ignore[arg-type]


def a_status(batch: Batch | None = None, rows_sent: int = 10, calls: int = 0, **states: int) -> BatchStatus:
    batch = batch or a_batch()
    accepted = sum(states.values())
    finished = sum(states.get(outcome, 0) for outcome in Outcome)
    in_review = states.get(Progress.IN_REVIEW, 0)
    return BatchStatus(
        batch=batch,
        rows_sent=rows_sent,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        finished_at=None,
        accepted=accepted,
        finished=finished,
        states=states,
        balance_unsent=batch.rows_total - rows_sent,
        balance_unaccepted=rows_sent - accepted,
        balance_under_way=accepted - finished - in_review,
        calls=calls,
        input_tokens=calls * 100,
        output_tokens=calls * 10,
        cost_usd=Decimal(calls) / 100,
        cache_hits=0,
        saved_usd=Decimal(0),
    )


class FakeLoads:
    """Implements what loading and watching ask of the store.

    Args:
        looks: what `get` of the watched load gives, one after the other; errors are raised, the last stays.
    """

    def __init__(self, *looks: BatchStatus | StoreUnavailableError) -> None:
        self.stored: dict[str, BatchStatus] = {}
        self.looks = list(looks)
        self.finished: list[str] = []

    async def create(self, batch: Batch) -> bool:
        if batch.batch_id in self.stored:
            return False
        self.stored[batch.batch_id] = a_status(batch, rows_sent=0)
        return True

    async def set_sent(self, batch_id: str, rows_sent: int) -> None:
        self.stored[batch_id] = replace(self.stored[batch_id], rows_sent=rows_sent)

    async def set_finished(self, batch_id: str) -> bool:
        self.finished.append(batch_id)
        return True

    async def get(self, batch_id: str) -> BatchStatus | None:
        if not self.looks:
            return self.stored.get(batch_id)
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, StoreUnavailableError):
            raise look
        return look

    async def simulated(self, batch_id: str) -> bool:
        return bool(batch_id)

    async def find_by_digest(self, source_digest: str) -> Sequence[BatchStatus]:
        return [s for s in reversed(self.stored.values()) if s.batch.source_digest == source_digest]

    async def newest(self, count: int) -> Sequence[BatchStatus]:
        return list(reversed(self.stored.values()))[:count]
