"""The task index: listens in on every task topic (Wire Tap) and keeps one row per submission.

Rows are idempotent upserts, so the index may read a record twice; it is behind the topics by a moment, never
wrong for good. Records that are no events are skipped here: the stage that takes them dead-letters them.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from mode import Service
from pydantic import BaseModel

from processors.errors import PermanentError, StoreUnavailableError
from schemas.base import Lane
from schemas.claim_check import ClaimCheck
from schemas.codec import CLAIMED_BYTES_MAX, InvalidMessageError, decode
from schemas.events import (
    ReviewRequested,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from schemas.headers import CLAIM_CHECK, parse, text_headers, trace_context
from streams.claim_checks import ClaimStore, claim_of, is_claim_check, redeem
from streams.engine.record_batches import BoundedConsumer
from streams.engine.records import InRecord, in_record
from streams.store.reviews import PostgresReviews
from streams.store.task_events import PostgresTaskEvents, TaskEvent
from streams.store.task_rows import Progress, TaskRow, finished_row, progress_row
from streams.store.tasks import PostgresTaskIndex
from streams.task_history import DEAD, WAITING, task_event
from streams.topics import LANED, event_type, topic_name

GROUP = "pressline-index"
POLL_S = 0.5
RECORDS_MAX = 2000
EVENTS_MAX = 500
"""Most events in memory at once: of more, Python's collector looks through all that they are made of."""
STORE_BACKOFF_S = 1.0
TAPPED: tuple[type[BaseModel], ...] = (
    TaskSubmitted,
    TaskClassified,
    TaskGenerated,
    TaskValidated,
    TaskFinished,
    ReviewRequested,
)
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

    async def _write(self, records: Sequence[ConsumerRecord]) -> None:
        # One at a time where events are large: a batch of them would not fit into memory.
        small: list[ConsumerRecord] = []
        large: list[ConsumerRecord] = []
        for record in records:
            (large if is_claim_check(record.headers) else small).append(record)
        for chunk in (small, *([record] for record in large)):
            await self._write_chunk(chunk)

    async def _write_chunk(self, records: Sequence[ConsumerRecord]) -> None:
        rows: list[TaskRow] = []
        history: list[TaskEvent] = []
        for first in range(0, len(records), EVENTS_MAX):
            seen = [each async for each in _events(records[first : first + EVENTS_MAX], self._claims)]
            told = [task_event(each.record, each.event, each.headers) for each in seen]
            tapped = [
                (a.event, b.replay) for a, b in zip(seen, told, strict=True) if a.record.topic in TOPICS
            ]
            for each in seen:
                if type(each.event) is ReviewRequested and each.record.topic in TOPICS:
                    await self._reviews.put(each.event, trace_context(each.headers))
            rows += [ROWS[type(event)](event, replay) for event, replay in tapped]
            history += told
        await self._tasks.put(rows)
        await self._history.put(history)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A record that carries an event."""

    record: InRecord
    event: Any
    headers: Mapping[str, str]


async def _events(records: Sequence[ConsumerRecord], claims: ClaimStore) -> AsyncIterator[_Seen]:
    for raw in records:
        headers = text_headers(raw.headers)
        # Retry and dead-letter topics carry several types; what is none of them names no task.
        takes = TOPICS.get(raw.topic) or TYPES.get(headers.get("ce_type", ""), TaskSubmitted)
        try:
            # As the stages do: an event without its context is dead-lettered, so it is no task here either.
            parse(raw.headers, event_type(takes))
            check = claim_of(raw.headers, raw.value) if CLAIM_CHECK in headers else None
            event = decode(raw.value, takes) if check is None else await _claimed(check, takes, claims)
        except (InvalidMessageError, PermanentError):
            log.debug("not indexed: %s-%d@%d is no event", raw.topic, raw.partition, raw.offset)
        else:
            yield _Seen(in_record(raw), event, headers)


async def _claimed(check: ClaimCheck, takes: type[BaseModel], claims: ClaimStore) -> BaseModel:
    return decode(await redeem(claims, check), takes, CLAIMED_BYTES_MAX)


def _accepted(event: TaskSubmitted, replay: int) -> TaskRow:
    return progress_row(event.task, Progress.ACCEPTED, replay=replay)


def _classified(event: TaskClassified, replay: int) -> TaskRow:
    return progress_row(event.task, Progress.CLASSIFIED, spend=event.spend, replay=replay)


def _generated(event: TaskGenerated, replay: int) -> TaskRow:
    title = event.document.title
    return progress_row(event.task, Progress.GENERATED, title=title, spend=event.spend, replay=replay)


def _validated(
    event: TaskValidated, replay: int, progress: Progress = Progress.VALIDATED, reason: str = ""
) -> TaskRow:
    return progress_row(
        event.task,
        progress,
        reason=reason,
        title=event.document.title,
        score=event.score,
        findings=event.findings,
        spend=event.spend,
        replay=replay,
    )


def _held(event: ReviewRequested, replay: int) -> TaskRow:
    return _validated(event.held, replay, Progress.IN_REVIEW, event.reason)


def _finished(event: TaskFinished, _replay: int) -> TaskRow:
    return finished_row(event)  # which says itself how many times the task came back


ROWS: dict[type[BaseModel], Callable[[Any, int], TaskRow]] = {
    TaskSubmitted: _accepted,
    TaskClassified: _classified,
    TaskGenerated: _generated,
    TaskValidated: _validated,
    TaskFinished: _finished,
    ReviewRequested: _held,
}
