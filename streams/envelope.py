"""From an event to the record that carries it: topic, key, CloudEvents headers, trace context."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from processors.errors import EventTooLargeError
from schemas.codec import CLAIMED_BYTES_MAX, InvalidMessageError, encode
from schemas.events import (
    Event,
    ReviewDecided,
    ReviewRequested,
    TaskClassified,
    TaskGenerated,
)
from schemas.headers import EventHeaders
from schemas.task import Task
from schemas.timing import TIMING, timing_text
from schemas.usage import UsageRecorded
from streams.engine.records import OutRecord
from streams.topics import event_type, topic_name, topic_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where an event comes from.

    Attributes:
        source: CloudEvents source, such as `urn:pressline:classify`.
        traceparent: trace context of the record that led to it, or None.
        replay: how many times the task came back from a dead-letter topic.
        timing_s: what that record's time since it was taken went into, in seconds.
        span: trace context of the span that the event was made in; None when no spans are made.
    """

    source: str
    traceparent: str | None = None
    replay: int = 0
    timing_s: Mapping[str, float] = field(default_factory=dict)
    span: str | None = None

    @property
    def carried(self) -> str:
        """The trace context that an event carries."""
        return self.span or child_of(self.traceparent)


def task_of(event: Event) -> Task:
    """Return the task that an event is about."""
    return event.held.task if isinstance(event, ReviewRequested) else event.task


def event_record(event: Event, lineage: Lineage) -> OutRecord:
    """Return the record that carries `event`.

    Its id is the same each time that the same work leads to it, so that consumers can drop repeats.

    Raises:
        EventTooLargeError: the event is larger than CLAIMED_BYTES_MAX.
    """
    task = task_of(event)
    identity = f"{task.submission_id}.{_noun(event)}.{_round(event)}.{lineage.replay}"
    headers = EventHeaders(
        id=identity,
        type=event_type(type(event)),
        source=lineage.source,
        time=datetime.now(UTC),
        subject=task.task_id,
        tenant=task.tenant,
        traceparent=lineage.carried,
        replay=lineage.replay,
    ).to_record()
    if timing := timing_text(lineage.timing_s):
        headers.append((TIMING, timing.encode()))
    try:
        value = encode(event, CLAIMED_BYTES_MAX)
    except InvalidMessageError as error:
        raise EventTooLargeError(str(error)) from error
    return OutRecord(topic=topic_of(event), key=task.key, value=value, headers=headers)


def usage_record(usage: UsageRecorded, lineage: Lineage) -> OutRecord:
    """Return the record that carries one call's usage; keyed by team, whose budget it is booked on."""
    headers = EventHeaders(
        id=usage.call_id,
        type=event_type(UsageRecorded),
        source=lineage.source,
        time=usage.recorded_at,
        subject=usage.task_id,
        traceparent=lineage.carried,
    )
    return OutRecord(
        topic=topic_name(UsageRecorded),
        key=usage.team.encode(),
        value=encode(usage),
        headers=headers.to_record(),
    )


def review_record(decided: ReviewDecided, lineage: Lineage) -> OutRecord:
    """Return the record that carries a person's decision."""
    headers = EventHeaders(
        id=f"{decided.submission_id}.decided",
        type=event_type(ReviewDecided),
        source=lineage.source,
        time=decided.decided_at,
        subject=decided.task_id,
        traceparent=lineage.carried,
    )
    return OutRecord(
        topic=topic_name(ReviewDecided),
        key=decided.task_id.encode(),
        value=encode(decided),
        headers=headers.to_record(),
    )


def child_of(traceparent: str | None) -> str:
    """Return the trace context of the next span: the same trace, a new parent id; a new trace without one."""
    trace = traceparent.split("-")[1] if traceparent else secrets.token_hex(16)
    flags = traceparent.split("-")[3] if traceparent else "01"
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def _noun(event: Event) -> str:
    return event_type(type(event)).removeprefix("pressline.").removesuffix(".v1")


def _round(event: Event) -> int:
    if isinstance(event, TaskClassified):
        return event.repair.round if event.repair else 0
    return event.repair_round if isinstance(event, TaskGenerated) else 0
