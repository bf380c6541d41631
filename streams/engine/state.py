"""What a stage consumer does at one moment: for whoever asks why it does not move."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from processors.model import CallState
from schemas.scope import Scope
from streams.engine.partitions import HeldPartition
from streams.engine.records import InRecord, Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerHealth:
    """What a stage consumer can say of itself.

    Attributes:
        joined: whether an assignment was taken over since the start; it may be empty.
        assigned: partitions held.
        last_poll_age_s: seconds since the last poll returned.
        in_flight: records taken and unfinished.
        oldest_in_flight_s: age of the oldest of them in seconds, 0 without one.
        waiting: how many of them wait for what.
        full: whether every lane holds as much as it may: nothing more is polled until records end.
        commit_error: the last commit's error, or None.
        finished: records finished since the start.
    """

    joined: bool
    assigned: int
    last_poll_age_s: float
    in_flight: int
    oldest_in_flight_s: float
    waiting: dict[str, int]
    full: bool
    commit_error: str | None
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordState:
    """One record in flight.

    Attributes:
        offset: its offset.
        waits_for: `turn`, `slot`, `stage`, `retry` or `send`.
        call: the model call that it waits for, or None.
        retry_at: when it is tried again; only while `waits_for` is `retry`.
        closed: the scope whose closing it waits out, or None.
        probe_at: when its breaker is probed at the earliest (aware), or None when a person closed it.
        scopes: what it belongs to, as far as its stage has said.
        timestamp_ms: its timestamp, in Unix milliseconds, or None.
        task_id: its task, or None when its headers do not say.
        sending: the topics that what it led to goes to, and why they do not take it; only while it is sent.
    """

    offset: int
    waits_for: str
    call: CallState | None
    retry_at: datetime | None
    closed: Scope | None
    probe_at: datetime | None
    scopes: tuple[Scope, ...]
    timestamp_ms: int | None
    task_id: str | None
    sending: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """One partition.

    Attributes:
        partition: which.
        next_offset: the next offset to take.
        head_offset: the lowest unfinished one.
        unfinished: how many taken records are unfinished.
        uncommitted: whether progress is not committed yet.
        head: the record at `head_offset`, when it is in flight.
    """

    partition: Partition
    next_offset: int
    head_offset: int
    unfinished: int
    uncommitted: bool
    head: RecordState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerState:
    """One stage consumer.

    Attributes:
        at_s: monotonic time at which all this was so.
        partitions: those that it holds.
        records: those in flight, of partitions that went away too.
        finished: records finished since the start.
        commit_error: the last commit's error, or None.
        polled_s: monotonic time at which the last poll returned.
        moved_s: monotonic time of the last step of any record, or of the last commit.
        polls: whether it is to poll now: there is room for more records.
    """

    at_s: float
    partitions: tuple[PartitionState, ...]
    records: tuple[RecordState, ...]
    finished: int
    commit_error: str | None
    polled_s: float
    moved_s: float
    polls: bool


def partition_state(
    partition: Partition, held: HeldPartition, records: Mapping[tuple[str, int, int], RecordState]
) -> PartitionState:
    """Return a partition's state.

    Args:
        partition: which.
        held: its progress.
        records: those in flight, by topic, partition and offset.
    """
    window = held.window
    return PartitionState(
        partition=partition,
        next_offset=window.next_offset,
        head_offset=window.lowest_unfinished,
        unfinished=window.unfinished,
        uncommitted=held.dirty,
        head=records.get((*partition, window.lowest_unfinished)),
    )


def waiting_state(record: InRecord, scopes: tuple[Scope, ...]) -> RecordState:
    """Return the state of a record that waits for its turn, and what it belongs to."""
    return RecordState(
        offset=record.offset,
        waits_for="turn",
        call=None,
        retry_at=None,
        closed=None,
        probe_at=None,
        scopes=scopes,
        timestamp_ms=record.timestamp_ms,
        task_id=record.subject,
    )
