"""Records that carry events: stable ids, right topics and keys, one trace."""

import pytest
from pydantic import BaseModel

from builders import (
    a_classified,
    a_finished,
    a_generated,
    a_repair,
    a_review_decided,
    a_review_requested,
    a_submitted,
    a_task,
    a_usage_recorded,
    a_validated,
)
from processors.errors import EventTooLargeError
from schemas.base import Lane
from schemas.codec import CLAIMED_BYTES_MAX, decode
from schemas.events import Event
from schemas.failures import REPLAY_COUNT
from schemas.headers import EventHeaders, parse, text_headers, trace_context
from streams.engine.records import OutRecord
from streams.envelope import Lineage, child_of, event_record, review_record, task_of, usage_record
from streams.topics import event_type

OTHER_SPAN = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
LINEAGE = Lineage(source="urn:test")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
EVENTS: list[Event] = [
    a_submitted(),
    a_classified(),
    a_generated(),
    a_validated(),
    a_finished(),
    a_review_requested(),
]


def context(record: OutRecord, message: type[BaseModel]) -> EventHeaders:
    return parse(record.headers, event_type(message))


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_carried_whole_under_its_tasks_key(event: Event) -> None:
    record = event_record(event, LINEAGE)

    assert decode(record.value, type(event)) == event
    assert record.key == task_of(event).key
    assert context(record, type(event)).subject == task_of(event).task_id


def test_each_lane_has_its_own_topic() -> None:
    topics = [event_record(a_submitted(task=a_task(lane=lane)), LINEAGE).topic for lane in Lane]

    assert topics == ["pressline.task.submitted.live.v1", "pressline.task.submitted.bulk.v1"]


def test_the_same_event_has_the_same_id_and_any_other_has_another() -> None:
    repaired: list[Event] = [a_classified(repair=a_repair()), a_generated(repair_round=1)]
    other_task = a_submitted(task=a_task(row=2))
    records = [event_record(event, LINEAGE) for event in (*EVENTS, *repaired, other_task)]
    replayed = event_record(a_submitted(), Lineage(source="urn:test", replay=1))
    again = event_record(a_submitted(), LINEAGE)

    ids = [text_headers(record.headers)["ce_id"] for record in (*records, replayed)]

    assert len(set(ids)) == len(ids)
    assert text_headers(again.headers)["ce_id"] == ids[0]


def test_a_replay_is_counted_in_a_header() -> None:
    headers = text_headers(event_record(a_submitted(), Lineage(source="urn:test", replay=2)).headers)

    assert headers[REPLAY_COUNT] == "2"
    assert REPLAY_COUNT not in text_headers(event_record(a_submitted(), LINEAGE).headers)


def test_a_trace_goes_on_with_a_new_parent() -> None:
    child = child_of(TRACE)

    assert (child.split("-")[1], child.split("-")[3]) == (TRACE.split("-")[1], "00")
    assert child.split("-")[2] != TRACE.split("-")[2]


def test_without_a_trace_a_new_one_begins() -> None:
    one, other = child_of(None), child_of(None)

    assert one != other
    assert trace_context({"traceparent": one}) == one


def test_an_event_over_the_limit_is_an_error_of_its_own() -> None:
    huge = a_submitted(task=a_task(inputs={"text": "x" * CLAIMED_BYTES_MAX}))

    with pytest.raises(EventTooLargeError):
        event_record(huge, LINEAGE)


def test_usage_is_keyed_by_the_team_that_pays() -> None:
    usage = a_usage_recorded()

    record = usage_record(usage, LINEAGE)

    assert (record.topic, record.key) == ("pressline.usage.recorded.v1", usage.team.encode())
    assert context(record, type(usage)).id == usage.call_id


def test_a_decision_is_keyed_by_its_task() -> None:
    decided = a_review_decided()

    record = review_record(decided, LINEAGE)

    assert (record.topic, record.key) == ("pressline.review.decided.v1", decided.task_id.encode())
    assert decode(record.value, type(decided)) == decided


def test_the_header_tells_what_the_time_went_into_and_a_span_is_carried_as_it_is() -> None:
    lineage = Lineage(source="urn:test", traceparent=TRACE, timing_s={"call": 1.5}, span=OTHER_SPAN)

    headers = text_headers(event_record(a_submitted(), lineage).headers)

    assert headers["server-timing"] == "call;dur=1500.0"
    assert headers["traceparent"] == OTHER_SPAN
    assert "server-timing" not in text_headers(event_record(a_submitted(), LINEAGE).headers)
