"""The task index: listens in on every task topic (Wire Tap) and keeps one row per submission.

Rows are idempotent upserts, so the index may read a record twice; it is behind the topics by a moment, never
wrong for good. Records that are no events are skipped here: the stage that takes them dead-letters them.
"""

import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from mode import Service
from pydantic import BaseModel

from processors.errors import PermanentError, StoreUnavailableError
from schemas.base import Lane
from schemas.codec import CLAIMED_BYTES_MAX, InvalidMessageError, decode
from schemas.events import (
    ReviewRequested,
    Spend,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from schemas.headers import parse, replay_count, text_headers
from streams.claim_checks import ClaimStore, claim_of, is_claim_check, redeem
from streams.engine.record_batches import BoundedConsumer
from streams.engine.records import InRecord
from streams.store.reviews import PostgresReviews
from streams.store.task_events import PostgresTaskEvents
from streams.store.tasks import PostgresTaskIndex, Progress, TaskProgress
from streams.task_history import DEAD, WAITING, task_event
from streams.topics import LANED, event_type, topic_name

GROUP = "pressline-index"
POLL_S = 0.5
RECORDS_MAX = 2000
STORE_BACKOFF_S = 1.0
TAPPED: tuple[type[BaseModel], ...] = (
    TaskSubmitted,
    TaskClassified,
    TaskGenerated,
    TaskValidated,
    TaskFinished,
    ReviewRequested,
)
PROGRESS: dict[type[BaseModel], Progress] = {
    TaskSubmitted: Progress.ACCEPTED,
    TaskClassified: Progress.CLASSIFIED,
    TaskGenerated: Progress.GENERATED,
    TaskValidated: Progress.VALIDATED,
}
TOPICS: dict[str, type[BaseModel]] = {
    topic_name(message, lane): message
    for message in TAPPED
    for lane in (Lane if message in LANED else (None,))
}
TYPES = {event_type(message): message for message in LANED}
"""What retry and dead-letter topics carry: the events that stages take."""

log = logging.getLogger(__name__)


class TaskIndexer(Service):  # type: ignore[misc] # mode ships no types
    """Reads the task topics in batches and writes them to the index.

    Args:
        brokers: bootstrap servers.
        client_id: name in the broker's logs.
        tasks: the index.
        reviews: what waits for a person.
        history: what happened to each submission.
        claims: where events are that were too large to travel.
    """

    def __init__(
        self,
        brokers: str,
        client_id: str,
        tasks: PostgresTaskIndex,
        reviews: PostgresReviews,
        history: PostgresTaskEvents,
        claims: ClaimStore,
    ) -> None:
        super().__init__()
        self._brokers = brokers
        self._client_id = client_id
        self._tasks = tasks
        self._reviews = reviews
        self._history = history
        self._claims = claims
        self._consumer: Any = None
        self.last_poll_s = time.monotonic()

    async def on_start(self) -> None:
        """Join the group."""
        self._consumer = BoundedConsumer(
            *(*TOPICS, *WAITING, *DEAD),
            bootstrap_servers=self._brokers,
            group_id=GROUP,
            client_id=self._client_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await self._consumer.start()

    async def on_stop(self) -> None:
        """Leave the group; what was not committed is read again."""
        if self._consumer is not None:  # the worker may be told to stop before all of it has started
            await self._consumer.stop()

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            try:
                batches = await self._consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=RECORDS_MAX)
                self.last_poll_s = time.monotonic()
                records = [record for batch in batches.values() for record in batch]
                if records and await self._written(records):
                    await self._consumer.commit()
            except KafkaError as error:
                log.warning("the task index could not read or commit, will try again: %r", error)
                await self.sleep(STORE_BACKOFF_S)

    async def _written(self, records: list[ConsumerRecord]) -> bool:
        """Write the batch, waiting for the store while it is away; False when the worker stops first."""
        while not self.should_stop:
            try:
                await self._write(records)
            except StoreUnavailableError as error:
                log.warning("the task index could not be written, will try again: %s", error)
                await self.sleep(STORE_BACKOFF_S)
            else:
                return True
        return False

    async def _write(self, records: list[ConsumerRecord]) -> None:
        # One at a time where events are large: a batch of them would not fit into memory.
        large = [record for record in records if is_claim_check(record.headers)]
        small = [record for record in records if not is_claim_check(record.headers)]
        for chunk in (small, *([record] for record in large)):
            await self._write_chunk(chunk)

    async def _write_chunk(self, records: Sequence[ConsumerRecord]) -> None:
        progress: list[TaskProgress] = []
        finished: list[TaskFinished] = []
        seen = [each async for each in _events(records, self._claims)]
        for event, replay in ((each.event, each.replay) for each in seen if each.record.topic in TOPICS):
            if isinstance(event, TaskFinished):
                finished.append(event)
            elif isinstance(event, ReviewRequested):
                await self._reviews.put(event)
                progress.append(_held(event, replay))
            else:
                progress.append(_seen(event, replay))
        await self._tasks.upsert_progress(progress)
        await self._tasks.finish(finished)
        await self._history.put(task_event(each.record, each.event, each.headers) for each in seen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A record that carries an event."""

    record: InRecord
    event: Any
    headers: Mapping[str, str]

    @property
    def replay(self) -> int:
        return replay_count(self.headers)


async def _events(records: Sequence[ConsumerRecord], claims: ClaimStore) -> AsyncIterator[_Seen]:
    for raw in records:
        headers = text_headers(raw.headers)
        # Retry and dead-letter topics carry several types; what is none of them names no task.
        takes = TOPICS.get(raw.topic) or TYPES.get(headers.get("ce_type", ""), TaskSubmitted)
        try:
            # As the stages do: an event without its context is dead-lettered, so it is no task here either.
            parse(raw.headers, event_type(takes))
            yield _Seen(_in_record(raw), await _event(raw, takes, claims), headers)
        except (InvalidMessageError, PermanentError):
            log.debug("not indexed: %s-%d@%d is no event", raw.topic, raw.partition, raw.offset)


async def _event(raw: ConsumerRecord, takes: type[BaseModel], claims: ClaimStore) -> BaseModel:
    check = claim_of(raw.headers, raw.value)
    if check is None:
        return decode(raw.value, takes)
    return decode(await redeem(claims, check), takes, CLAIMED_BYTES_MAX)


def _in_record(raw: ConsumerRecord) -> InRecord:
    return InRecord(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers),
        timestamp_ms=raw.timestamp,
    )


def _seen(event: Any, replay: int) -> TaskProgress:
    return TaskProgress(
        task=event.task,
        progress=PROGRESS[type(event)],
        title=event.document.title if isinstance(event, TaskGenerated | TaskValidated) else None,
        score=getattr(event, "score", None),
        findings=getattr(event, "findings", ()),
        spend=Spend() if isinstance(event, TaskSubmitted) else event.spend,
        replay=replay,
    )


def _held(event: ReviewRequested, replay: int) -> TaskProgress:
    held = event.held
    return TaskProgress(
        task=held.task,
        progress=Progress.IN_REVIEW,
        reason=event.reason,
        title=held.document.title,
        score=held.score,
        findings=held.findings,
        spend=held.spend,
        replay=replay,
    )
