"""Where a task is and what it waits for, as exactly as somebody knows."""

from datetime import timedelta

import pytest

from builders import NOW, a_validated
from fakes.task_path import a_path, a_planned_event, an_event, an_indexed_task
from schemas.base import Stage
from schemas.why import Cause
from streams.engine.records import Partition
from streams.store.reviews import Review
from streams.store.task_events import EventKind
from streams.task_path import TaskPath
from streams.task_where import where_in_partition, where_unknown, where_without_broker
from streams.why_view import WhyRow

TOPIC = "pressline.task.classified.bulk.v1"


def a_row(head_offset: int | None, partition: int = 3) -> WhyRow:
    return WhyRow(
        stage=Stage.GENERATE,
        partition=Partition(TOPIC, partition),
        pending=9,
        worker="worker-1",
        cause=Cause.QUOTA,
        detail="openai small-1",
        since=NOW,
        head_offset=head_offset,
    )


def a_waiting_path(due_s: float) -> TaskPath:
    due_ms = int((NOW + timedelta(seconds=due_s)).timestamp() * 1000)
    detail = {"reason": "provider_timeout", "not_before_ms": str(due_ms), "attempts": "2"}
    topic = "pressline.retry.1m.v1"
    return a_path(an_event(EventKind.POSTPONED, stage="generate", topic=topic, detail=detail))


@pytest.mark.parametrize(
    ("head_offset", "said"),
    [
        (40, "quota openai small-1, at pressline.task.classified.bulk.v1-3@40"),
        (30, "up to 10 records behind the head"),
        (41, "generate is done with"),
        (None, "quota openai small-1"),
    ],
)
def test_the_head_of_its_partition_says_what_it_waits_for(head_offset: int | None, said: str) -> None:
    where = where_in_partition(a_path(a_planned_event()), [a_row(7, partition=1), a_row(head_offset)])

    assert said in where.waits_for
    assert where.stage == "generate"
    assert where.todo


def test_a_held_page_waits_for_a_person() -> None:
    review = Review(
        held=a_validated(), reason="risk is high", requested_at=NOW, traceparent=None, decided=None
    )
    path = a_path(task=an_indexed_task(state="in_review"), review=review)

    where = where_without_broker(path, NOW)

    assert where is not None
    assert where.waits_for == "a person's decision: risk is high"
    assert f"pressline review show {path.task.submission_id}" in where.todo


@pytest.mark.parametrize(("due_s", "said"), [(30, "its next try at"), (-30, "its return, due since")])
def test_a_record_in_a_retry_topic_says_until_when_and_why(due_s: float, said: str) -> None:
    where = where_without_broker(a_waiting_path(due_s), NOW)

    assert where is not None
    assert said in where.waits_for
    assert "after provider_timeout, in pressline.retry.1m.v1" in where.waits_for


def test_what_only_the_broker_knows_is_asked_of_it() -> None:
    path = a_path(a_planned_event())

    assert where_without_broker(path, NOW) is None
    assert where_unknown(path, "the broker does not answer").waits_for.endswith("the broker does not answer")
    assert "not known" in where_in_partition(a_path(), [a_row(3)]).waits_for
