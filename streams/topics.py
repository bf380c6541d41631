"""Every topic: its name, what it carries, how long it keeps it. The README's table is made from here."""

from dataclasses import dataclass

from pydantic import BaseModel

from schemas.base import Lane, Stage
from schemas.control import ScopeChanged
from schemas.events import (
    Event,
    ReviewDecided,
    ReviewRequested,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from schemas.usage import UsageRecorded
from streams.engine.tiers import Tier

WORK_BYTES_MAX = 4 * 1_048_576
"""Largest record batch of a work topic. Ours are at most 1 MiB; larger ones are dead-lettered."""
DEAD_BYTES_MAX = 5 * 1_048_576
"""A dead letter or waiting record is the whole record and our headers: it fits when the record fitted."""
DAY_MS = 24 * 3600 * 1000
WORK_RETENTION_MS = 7 * DAY_MS
DEAD_RETENTION_MS = 30 * DAY_MS
CONTROL_HISTORY_MS = 365 * DAY_MS

REDELIVERY = "redelivery"
"""Who brings waiting records back; it has a dead-letter topic as the stages have."""
RETRY_TIERS = (
    Tier(topic="pressline.retry.1m.v1", length_s=60.0),
    Tier(topic="pressline.retry.10m.v1", length_s=600.0),
    Tier(topic="pressline.retry.1h.v1", length_s=3600.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic's definition.

    Attributes:
        name: its name; dots and hyphens only.
        carries: the one type of its values, or None where they are those of the record's origin.
        retention_ms: how long records are kept at least.
        record_bytes_max: largest record batch that it takes.
        partitions: how many it has, or None for as many as the settings say.
        compacted: whether the newest record of each key outlives `retention_ms`.
        purpose: one line for the reader.
    """

    name: str
    carries: type[BaseModel] | None
    retention_ms: int = WORK_RETENTION_MS
    record_bytes_max: int = WORK_BYTES_MAX
    partitions: int | None = None
    compacted: bool = False
    purpose: str


NOUNS: dict[type[BaseModel], str] = {
    TaskSubmitted: "task.submitted",
    TaskClassified: "task.classified",
    TaskGenerated: "task.generated",
    TaskValidated: "task.validated",
    TaskFinished: "task.finished",
    ReviewRequested: "review.requested",
    ReviewDecided: "review.decided",
    UsageRecorded: "usage.recorded",
    ScopeChanged: "control",
}
LANED: tuple[type[BaseModel], ...] = (TaskSubmitted, TaskClassified, TaskGenerated, TaskValidated)
PURPOSES: dict[type[BaseModel], str] = {
    TaskSubmitted: "tasks from producers and loads; classify takes them",
    TaskClassified: "tasks with a plan; generate takes them",
    TaskGenerated: "tasks with a document; validate takes them",
    TaskValidated: "documents that may be published; publish takes them",
    TaskFinished: "one terminal event per submission",
    ReviewRequested: "documents that wait for a person",
    ReviewDecided: "what persons decided",
    UsageRecorded: "tokens and cost, one event per model call",
    ScopeChanged: "what persons hold back or let go on, in order; every worker reads it whole",
}


def event_type(message: type[BaseModel]) -> str:
    """Return the CloudEvents type of a message class, such as `pressline.task.submitted.v1`."""
    return f"pressline.{NOUNS[message]}.v1"


def topic_name(message: type[BaseModel], lane: Lane | None = None) -> str:
    """Return the topic that carries `message`, in `lane` where the topic has lanes."""
    lane_part = f".{lane}" if lane is not None and message in LANED else ""
    return f"pressline.{NOUNS[message]}{lane_part}.v1"


def topic_of(event: Event) -> str:
    """Return the topic that an event goes to."""
    task = event.held.task if isinstance(event, ReviewRequested) else event.task
    return topic_name(type(event), task.lane)


def dead_letter_topic(stage: str) -> str:
    """Return the dead-letter topic of a stage, or of the redelivery."""
    return f"pressline.{stage}.dead.v1"


def all_topics() -> tuple[Topic, ...]:
    """Return every topic, in pipeline order."""
    work = [
        Topic(name=topic_name(message, lane), carries=message, purpose=PURPOSES[message])
        for message in NOUNS
        if message is not ScopeChanged
        for lane in (Lane if message in LANED else (None,))
    ]
    waiting = [
        Topic(
            name=tier.topic,
            carries=None,
            record_bytes_max=DEAD_BYTES_MAX,
            purpose=f"records that are tried again later, each {tier.length_s:.0f} s here at most",
        )
        for tier in RETRY_TIERS
    ]
    dead = [
        Topic(
            name=dead_letter_topic(stage),
            carries=None,
            retention_ms=DEAD_RETENTION_MS,
            record_bytes_max=DEAD_BYTES_MAX,
            purpose=f"what {stage} gave up on: untouched bytes, the reason in headers",
        )
        for stage in (*Stage, REDELIVERY)
    ]
    return (*work, *waiting, *dead, _control())


def _control() -> Topic:
    return Topic(
        name=topic_name(ScopeChanged),
        carries=ScopeChanged,
        retention_ms=CONTROL_HISTORY_MS,
        partitions=1,  # one order of all changes
        compacted=True,
        purpose=PURPOSES[ScopeChanged],
    )
