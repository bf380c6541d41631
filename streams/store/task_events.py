"""What happened to each submission: table `task_events`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final

import orjson
from pydantic import JsonValue

from streams.store.database import Database

EVENTS_MAX: Final = 1000
"""Most events that are shown of a submission: five replays with every retry are far fewer."""


class EventKind(StrEnum):
    """What an event says of a task."""

    SUBMITTED = "submitted"
    CLASSIFIED = "classified"
    GENERATED = "generated"
    VALIDATED = "validated"
    REVIEW_REQUESTED = "review_requested"
    FINISHED = "finished"
    POSTPONED = "postponed"
    RETURNED = "returned"
    DEAD_LETTERED = "dead_lettered"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """One event of a submission.

    Attributes:
        submission_id: which.
        event_id: the same for a record that is read, or sent, twice.
        kind: what it says.
        stage: who made it; empty for what came from outside.
        at: when its record was made (aware).
        topic: where the record is.
        partition: the same.
        offset: the same.
        replay: how many times the task had come back from a dead-letter topic.
        timing_s: seconds of the stage that made it, by what they went into; empty when it did not say.
        detail: what the event says, by its kind; see `streams/task_history.py`.
    """

    submission_id: str
    event_id: str
    kind: EventKind
    stage: str
    at: datetime
    topic: str
    partition: int
    offset: int
    replay: int = 0
    timing_s: Mapping[str, float] = field(default_factory=dict)
    detail: Mapping[str, JsonValue] = field(default_factory=dict)


class PostgresTaskEvents:
    """Events by submission; the first of those with one id stays.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, events: Iterable[TaskEvent]) -> None:
        """Store the events.

        Raises:
            StoreUnavailableError: the database is away; storing again is harmless.
        """
        rows = [_values(event) for event in events]
        if rows:
            # In order: neighbours in the index are stored together, and writers that overlap wait.
            rows.sort(key=itemgetter(0, 1))
            await self._database.fetch(INSERT, *(list(column) for column in zip(*rows, strict=True)))

    async def of(self, submission_id: str) -> Sequence[TaskEvent]:
        """Return the submission's events in the order in which they happened, at most EVENTS_MAX.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT, submission_id, EVENTS_MAX)
        return [TaskEvent(**{**row, "kind": EventKind(row["kind"])}) for row in rows]


def _values(event: TaskEvent) -> tuple[object, ...]:
    return (
        *(event.submission_id, event.event_id, event.kind.value, event.stage, event.at),
        *(event.topic, event.partition, event.offset, event.replay),
        *(_json(event.timing_s), _json(event.detail)),
    )


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


# The order of the columns is that of _values.
INSERT: Final = """
INSERT INTO task_events (submission_id, event_id, kind, stage, at, topic, partition, "offset", replay,
                         timing_s, detail)
SELECT submission_id, event_id, kind, stage, at, topic, partition, "offset", replay,
       timing_s::json, detail::json
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::integer[],
            $8::bigint[], $9::integer[], $10::text[], $11::text[])
     AS new (submission_id, event_id, kind, stage, at, topic, partition, "offset", replay, timing_s, detail)
ON CONFLICT DO NOTHING
"""

# Events of one moment are in the order of the pipeline.
SELECT: Final = """
SELECT submission_id, event_id, kind, stage, at, topic, partition, "offset", replay, timing_s, detail
FROM task_events WHERE submission_id = $1
ORDER BY at, array_position(ARRAY['submitted', 'classified', 'generated', 'validated', 'review_requested',
                                  'postponed', 'dead_lettered', 'finished'], kind), event_id
LIMIT $2
"""
