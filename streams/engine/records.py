"""What the engine takes in and sends out, and the two things that it asks of a stage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from aiokafka import ConsumerRecord

from processors.disposition import GiveUp, Postpone
from processors.model import CallState
from schemas.headers import TENANT
from schemas.scope import Scope
from schemas.usage import UsageRecorded

SUBJECT = "ce_subject"


class Partition(NamedTuple):
    """A topic's partition; equal to aiokafka's TopicPartition as a tuple."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InRecord:
    """A consumed record.

    Attributes:
        topic: where it came from.
        partition: which partition.
        offset: its offset.
        key: key bytes, or None.
        value: value bytes, or None for a tombstone.
        headers: name and bytes, in order; names may repeat.
        timestamp_ms: when it was made or appended, in Unix milliseconds, or None.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int | None = None

    @property
    def subject(self) -> str | None:
        """What it is about, as its CloudEvents headers say."""
        found = (value for name, value in self.headers if name == SUBJECT)
        return (next(found, b"") or b"").decode(errors="replace") or None

    @property
    def tenant(self) -> str:
        """Whose record it is, as its headers say; empty when they do not."""
        for name, value in self.headers:
            if name == TENANT:
                return (value or b"").decode("utf-8", "replace")
        return ""

    @property
    def size(self) -> int:
        """Bytes of key and value: what the record holds in memory while in flight."""
        return len(self.key or b"") + len(self.value or b"")


def in_record(raw: ConsumerRecord) -> InRecord:
    """Return the record as the client gave it, as ours."""
    return InRecord(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers),
        timestamp_ms=raw.timestamp,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutRecord:
    """A record to send.

    Attributes:
        topic: where it goes.
        key: key bytes, or None.
        value: value bytes, or None for a tombstone.
        headers: name and bytes, in order.
        partition: which partition, or None to let the key decide.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


@dataclass(slots=True, kw_only=True)
class Attempts:
    """What a record has been through, in earlier deliveries too; changes as its delivery goes on.

    Attributes:
        counted: failed attempts that count.
        unavailable: failures for want of Pressline's own parts.
        first_failure: when the first failure was, or None.
        first_failure_s: the same in monotonic seconds: waits are not measured by a clock that can be set.
        outage: when the present outage of Pressline's own parts was met, or None.
        outage_s: the same in monotonic seconds.
    """

    counted: int = 0
    unavailable: int = 0
    first_failure: datetime | None = None
    first_failure_s: float = 0.0
    outage: datetime | None = None
    outage_s: float = 0.0


class Delivery(Protocol):
    """The engine's side of one record in processing.

    Attributes:
        scopes: what the record belongs to; its stage says it once it is decoded.
    """

    scopes: tuple[Scope, ...]

    @property
    def closing(self) -> bool:
        """Whether nothing more may be begun for it: another worker has the partition, or this one stops."""

    @property
    def paid(self) -> dict[str, UsageRecorded]:
        """Model calls of all attempts of this delivery, by call id: one asked again stands once."""

    deadline: datetime | None
    """When the task is of no use any more (aware); set by the stage as soon as it knows."""

    @property
    def timing_s(self) -> Mapping[str, float]:
        """Seconds since the record was taken, by what it waited for or did."""

    whole: InRecord | None
    """The record with its event in place of a reference; set by the stage for an attempt, when it had one."""

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` when this attempt is over, however it ends: a wait for the next holds nothing."""

    def tell(self, call: CallState | None) -> None:
        """Say which model call the record waits for, or that it waits for none."""

    def gives_up(self, error: Exception) -> bool:
        """Return whether the record would end with that failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a record is given up.

    Attributes:
        error: what was raised.
        disposition: the decision.
        attempts: what the record has been through.
        at: when it was given up.
    """

    error: Exception
    disposition: GiveUp
    attempts: Attempts = field(default_factory=Attempts)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponement:
    """How long a record is to wait outside of its window.

    Attributes:
        disposition: the decision.
        attempts: what the record has been through.
        at: when it was decided (aware).
    """

    disposition: Postpone
    attempts: Attempts
    at: datetime


class RecordHandler(Protocol):
    """What a stage consumer asks of a stage."""

    async def handle(self, record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
        """Return everything that the record leads to.

        Raises:
            ProcessingError: decided on by `processors.disposition.decide`.
            AbandonedError: `delivery.closing` became true; the record is dropped here.
        """

    def postpone(
        self, record: InRecord, postponement: Postponement, delivery: Delivery
    ) -> Sequence[OutRecord]:
        """Return the record for a retry topic, and whatever else it has led to so far."""

    def give_up(self, record: InRecord, failure: Failure, delivery: Delivery) -> Sequence[OutRecord]:
        """Return the dead letter, and whatever else the end of the record leads to."""
