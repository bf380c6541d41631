"""Dead letters as people look at them: parsed, filtered, grouped by fingerprint.

Anything may stand in a dead-letter topic: a record of another program parses too, with UNKNOWN for what its
headers do not say.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from schemas import failures as names
from schemas.base import Stage
from schemas.headers import RawHeaders, text_headers
from streams.topics import REDELIVERY, dead_letter_topic

UNKNOWN = "unknown"
NUMBER_DIGITS_MAX = 18
"""More digits than that are no offset (64 bits), no count and no time."""
STAGES: dict[str, str] = {dead_letter_topic(stage): stage for stage in (*Stage, REDELIVERY)}


class Position(NamedTuple):
    """Where a record is; written `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record of a dead-letter topic.

    Attributes:
        position: where it is.
        stage: whose topic it stands in: a stage, or the redelivery.
        reason: a `FailureReason`, or UNKNOWN.
        error_class: class of the exception, or UNKNOWN.
        message: text of the exception; empty when the headers have none.
        fingerprint: 12 hex digits that failures of one kind share, or UNKNOWN.
        attempts: how often it was tried, or None.
        retriable: whether the same attempt may succeed later.
        origin: where the record was when it failed, or None: then it cannot be replayed.
        replay_count: how many times it had been replayed before it came here.
        first_failure: when it first failed, or None.
        at: when it was given up; without such a header, when it was written here.
        key: key bytes, or None.
        value: value bytes, or None.
        headers: all headers in order, those of the origin and those of the dead letter.
        replayed_at: when it was sent back, or None.
    """

    position: Position
    stage: str
    reason: str
    error_class: str
    message: str
    fingerprint: str
    attempts: int | None
    retriable: bool
    origin: Position | None
    replay_count: int
    first_failure: datetime | None
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    replayed_at: datetime | None = None

    @property
    def refers(self) -> bool:
        """Whether the record itself was too large to stand here, and the value is a reference to it."""
        return any(name == names.DLQ_CLAIM for name, _ in self.headers)

    @property
    def batch_id(self) -> str | None:
        """The load of its task, or None when the value is no task's event or the task has no load."""
        try:
            event = orjson.loads(self.value or b"")
        except orjson.JSONDecodeError:
            return None
        task = event.get("task") if isinstance(event, dict) else None
        batch_id = task.get("batch_id") if isinstance(task, dict) else None
        return batch_id if isinstance(batch_id, str) else None


def parse(
    position: Position, key: bytes | None, value: bytes | None, raw: RawHeaders, written_at: datetime
) -> DeadLetter:
    """Return the dead letter that a record is.

    Args:
        position: where it is; the topic is one of STAGES.
        key: the record's key.
        value: the record's value.
        raw: the record's headers.
        written_at: the record's own timestamp (aware).
    """
    headers = tuple(raw)
    text = text_headers(headers)
    return DeadLetter(
        position=position,
        stage=STAGES[position.topic],
        reason=text.get(names.DLQ_REASON, UNKNOWN),
        error_class=text.get(names.DLQ_EXCEPTION, UNKNOWN),
        message=text.get(names.DLQ_MESSAGE, ""),
        fingerprint=text.get(names.DLQ_FINGERPRINT, UNKNOWN),
        attempts=_number(text.get(names.DLQ_ATTEMPTS)),
        retriable=text.get(names.DLQ_RETRIABLE) == "true",
        origin=_origin(text),
        replay_count=_number(text.get(names.REPLAY_COUNT)) or 0,
        first_failure=_time(text.get(names.DLQ_FIRST_FAILURE)),
        at=_time(text.get(names.DLQ_TIMESTAMP)) or written_at,
        key=key,
        value=value,
        headers=headers,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters; None and empty mean all of them.

    Attributes:
        stage: of this stage, or of the redelivery.
        reason: for this reason.
        error_class: with this class of exception.
        fingerprint: of this kind.
        batch_id: whose task belongs to this load.
        since: given up at this moment (aware) or later.
        positions: at these places.
    """

    stage: str | None = None
    reason: str | None = None
    error_class: str | None = None
    fingerprint: str | None = None
    batch_id: str | None = None
    since: datetime | None = None
    positions: frozenset[Position] = frozenset()

    def includes(self, letter: DeadLetter) -> bool:
        """Whether `letter` is wanted."""
        named = (
            (self.stage, letter.stage),
            (self.reason, letter.reason),
            (self.error_class, letter.error_class),
            (self.fingerprint, letter.fingerprint),
        )
        return (
            all(wanted in (None, found) for wanted, found in named)
            and (self.since is None or letter.at >= self.since)
            and (not self.positions or letter.position in self.positions)
            # Last: it alone reads the value.
            and self.batch_id in (None, letter.batch_id)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Dead letters of one kind.

    Attributes:
        count: how many there are.
        sample: the newest of them, without key, value and headers.
        first_at: when the earliest was given up.
    """

    count: int
    sample: DeadLetter
    first_at: datetime


class Groups:
    """Dead letters by stage and fingerprint, counted one by one: values are not kept."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def add(self, letter: DeadLetter) -> None:
        """Count the letter in."""
        kind = (letter.stage, letter.fingerprint)
        bare = replace(letter, key=None, value=None, headers=())
        found = self._groups.get(kind, Group(count=0, sample=bare, first_at=letter.at))
        self._groups[kind] = Group(
            count=found.count + 1,
            sample=max(found.sample, bare, key=lambda one: one.at),
            first_at=min(found.first_at, letter.at),
        )

    def largest_first(self) -> tuple[Group, ...]:
        """Return the groups, the largest first."""
        return tuple(sorted(self._groups.values(), key=lambda group: -group.count))


def _origin(text: dict[str, str]) -> Position | None:
    topic = text.get(names.DLQ_TOPIC)
    partition, offset = _number(text.get(names.DLQ_PARTITION)), _number(text.get(names.DLQ_OFFSET))
    if not topic or partition is None or offset is None:
        return None
    return Position(topic, partition, offset)


def _time(text: str | None) -> datetime | None:
    epoch_ms = _number(text)
    try:
        return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX else None
