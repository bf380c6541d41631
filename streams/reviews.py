"""A person's decision on a held page: stored once, then told to the pipeline."""

from datetime import datetime

from schemas.base import Outcome, Stage
from schemas.events import MESSAGE_CHARS_MAX, ReviewDecided, TaskFinished, TaskValidated
from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord
from streams.envelope import Lineage, event_record, review_record
from streams.store.reviews import PostgresReviews, Review
from streams.store.tasks import PostgresTaskIndex

SOURCE = "urn:pressline:review"


class ReviewError(Exception):
    """This page cannot be decided on so; the text says why."""


class ReviewDesk:
    """Decides on held pages.

    The decision is stored first and sent after. A crash between the two leaves a decision that the pipeline
    does not know; the same decision by the same reviewer sends it again, with the same event ids, which is
    harmless however often it is done. Any other second decision is refused.

    Args:
        reviews: what waits.
        tasks: knows how many times a task was replayed; its end must carry that number to count.
        producer: sends what a decision leads to.
    """

    def __init__(self, reviews: PostgresReviews, tasks: PostgresTaskIndex, producer: RecordProducer) -> None:
        self._reviews = reviews
        self._tasks = tasks
        self._producer = producer

    async def decide(
        self, submission_id: str, *, approved: bool, reviewer: str, reason: str, at: datetime
    ) -> ReviewDecided:
        """Decide, and send the page on to publish or the task to its end.

        Args:
            submission_id: the held submission.
            approved: publish it, or end it as rejected.
            reviewer: who decides.
            reason: why; may be empty.
            at: when (aware).

        Returns:
            The decision as it is stored: with its first time and reason when it was sent again.

        Raises:
            ReviewError: no such page was held, or it is decided otherwise or by another person.
            StoreUnavailableError: the database is away.
            KafkaError: the decision is stored but not sent; decide again.
        """
        review = await self._get(submission_id)
        decided = ReviewDecided(
            task_id=review.held.task.task_id,
            submission_id=submission_id,
            approved=approved,
            reviewer=reviewer,
            reason=reason,
            decided_at=at,
        )
        if not await self._reviews.decide(decided):
            review = await self._get(submission_id)
            decided = _same(review.decided, decided)
        indexed = await self._tasks.get(submission_id)
        replay = indexed.replay if indexed else 0
        lineage = Lineage(source=SOURCE, traceparent=review.traceparent, replay=replay)
        await self._producer.send(decision_records(review.held, decided, lineage))
        return decided

    async def _get(self, submission_id: str) -> Review:
        review = await self._reviews.get(submission_id)
        if review is None:
            raise ReviewError(
                f"{submission_id}: no page of this submission was held; see `pressline review list`"
            )
        return review


def decision_records(held: TaskValidated, decided: ReviewDecided, lineage: Lineage) -> tuple[OutRecord, ...]:
    """Return the records that a decision leads to: the decision, and the page's next event or its end."""
    if decided.approved:
        event = held.model_copy(update={"reviewer": decided.reviewer})
        return event_record(event, lineage), review_record(decided, lineage)
    return event_record(_rejected(held, decided, lineage.replay), lineage), review_record(decided, lineage)


def _rejected(held: TaskValidated, decided: ReviewDecided, replay: int) -> TaskFinished:
    why = f"rejected by {decided.reviewer}" + (f": {decided.reason}" if decided.reason else "")
    return TaskFinished(
        task=held.task,
        outcome=Outcome.REJECTED,
        stage=Stage.VALIDATE,
        reason=why[:MESSAGE_CHARS_MAX],
        title=held.document.title,
        score=held.score,
        findings=held.findings,
        spend=held.spend,
        replay=replay,
    )


def _same(stored: ReviewDecided | None, wanted: ReviewDecided) -> ReviewDecided:
    if stored is None:
        raise ReviewError(
            f"{wanted.submission_id}: another page was held meanwhile; look at it and decide again"
        )
    if (stored.approved, stored.reviewer) != (wanted.approved, wanted.reviewer):
        word = "approved" if stored.approved else "rejected"
        raise ReviewError(
            f"{wanted.submission_id}: {stored.reviewer} {word} it on {stored.decided_at:%Y-%m-%d %H:%M %Z}; "
            f"a page is decided once"
        )
    return stored
