"""What is put down of each record: who did what when, and no page."""

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    BODY,
    NOW,
    a_classified,
    a_finished,
    a_generated,
    a_repair,
    a_review_requested,
    a_submitted,
    a_validated,
)
from processors.disposition import GiveUp, Postpone
from processors.errors import InvalidInputsError
from schemas.base import Outcome, Stage
from schemas.events import Event
from schemas.failures import REPLAY_COUNT, REPLAY_OF, FailureReason
from schemas.headers import text_headers
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Attempts, Failure, InRecord, OutRecord, Postponement
from streams.engine.tiers import tier_record
from streams.envelope import Lineage, event_record
from streams.store.task_events import EventKind, TaskEvent
from streams.task_history import task_event
from streams.topics import RETRY_TIERS, dead_letter_topic

LINEAGE = Lineage(source="urn:test", timing_s={"call": 1.5, "turn": 0.25})
AT_MS = 1_767_323_045_000
LATER = Postponement(
    disposition=Postpone(90.0, FailureReason.PROVIDER_TIMEOUT), attempts=Attempts(counted=2), at=NOW
)
GIVEN_UP = Failure(
    error=InvalidInputsError("no city"),
    disposition=GiveUp(FailureReason.INVALID_INPUTS, retriable=False),
    attempts=Attempts(counted=1),
    at=NOW,
)


def consumed(made: OutRecord, offset: int = 4) -> InRecord:
    return InRecord(
        topic=made.topic,
        partition=1,
        offset=offset,
        key=made.key,
        value=made.value,
        headers=tuple(made.headers),
        timestamp_ms=AT_MS,
    )


def a_record(event: Event, **changes: Any) -> InRecord:
    return replace(consumed(event_record(event, LINEAGE)), **changes)


def seen(record: InRecord, event: Event) -> TaskEvent:
    return task_event(record, event, text_headers(record.headers))


@pytest.mark.parametrize(
    ("event", "kind", "stage"),
    [
        (a_submitted(), EventKind.SUBMITTED, ""),
        (a_classified(), EventKind.CLASSIFIED, "classify"),
        (a_classified(repair=a_repair()), EventKind.CLASSIFIED, "validate"),
        (a_generated(), EventKind.GENERATED, "generate"),
        (a_validated(), EventKind.VALIDATED, "validate"),
        (a_validated(reviewer="ann@example.org"), EventKind.VALIDATED, "review"),
        (a_review_requested(), EventKind.REVIEW_REQUESTED, "validate"),
        (a_finished(), EventKind.FINISHED, "publish"),
    ],
)
def test_each_event_tells_its_maker_and_time_and_keeps_the_page_out(
    event: Event, kind: EventKind, stage: str
) -> None:
    found = seen(a_record(event), event)

    assert (found.kind, found.stage) == (kind, stage)
    assert found.at.timestamp() * 1000 == AT_MS
    assert found.timing_s == {"call": 1.5, "turn": 0.25}
    assert BODY[:40] not in str(found.detail)


def test_a_record_that_is_read_or_sent_twice_is_one_event_and_a_returned_one_another() -> None:
    record = a_record(a_classified())
    waiting = consumed(tier_record(record, LATER, RETRY_TIERS))
    returned = replace(waiting, topic=record.topic, offset=9)
    replayed = replace(record, headers=(*record.headers, (REPLAY_COUNT, b"1"), (REPLAY_OF, b"t/0/1")))

    found = [seen(each, a_classified()) for each in (record, waiting, returned, replayed)]
    again = [seen(replace(each, offset=77), a_classified()) for each in (record, waiting, returned, replayed)]

    kinds = [EventKind.CLASSIFIED, EventKind.POSTPONED, EventKind.RETURNED, EventKind.REPLAYED]
    assert [event.kind for event in found] == kinds
    assert len({event.event_id for event in found}) == len(kinds)
    assert [event.event_id for event in again] == [event.event_id for event in found]
    # What is sent on unchanged still has the header of the stage before: it is told once.
    assert [bool(event.timing_s) for event in found] == [True, False, False, False]


def test_a_record_that_waits_tells_why_until_when_and_before_which_stage() -> None:
    waiting = consumed(tier_record(a_record(a_classified()), LATER, RETRY_TIERS))

    found = seen(waiting, a_classified())

    assert (found.stage, found.detail["reason"], found.detail["attempts"]) == (
        "generate",
        "provider_timeout",
        "2",
    )
    assert int(str(found.detail["not_before_ms"])) == pytest.approx((NOW.timestamp() + 90) * 1000, abs=2)


def test_a_dead_letter_tells_where_it_is_and_what_failed() -> None:
    topic = dead_letter_topic(Stage.GENERATE)
    letter = dead_letter(a_record(a_classified()), GIVEN_UP, stage="generate", group="g", topic=topic)

    found = seen(consumed(letter), a_classified())

    assert (found.kind, found.stage) == (EventKind.DEAD_LETTERED, "generate")
    assert found.detail["position"] == f"{topic}/1/4"
    assert (found.detail["exception"], found.detail["message"]) == ("InvalidInputsError", "no city")


def test_findings_stand_where_they_were_found() -> None:
    passed = a_finished(findings=a_repair().findings)
    rejected = a_finished(
        outcome=Outcome.REJECTED, stage=Stage.VALIDATE, url=None, findings=a_repair().findings
    )

    told = [seen(a_record(event), event).detail["findings"] for event in (passed, rejected)]

    assert [len(findings) for findings in told if isinstance(findings, list)] == [0, 1]


@pytest.mark.parametrize("stamp_ms", [None, -1, 10**18])
def test_any_timestamp_of_a_foreign_producer_can_be_stored(stamp_ms: int | None) -> None:
    record = a_record(a_submitted(), timestamp_ms=stamp_ms)

    assert seen(record, a_submitted()).at.year in {1970, 9999}
