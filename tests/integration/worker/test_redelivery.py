"""A worker takes records out of the retry topics, and their tasks end."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.broker import until
from fixtures.worker import Deployment, a_row_task
from schemas import failures as names
from schemas.base import Lane, Outcome
from schemas.events import TaskFinished, TaskSubmitted
from schemas.task import Task
from streams.engine.records import OutRecord
from streams.envelope import Lineage, event_record
from streams.topics import RETRY_TIERS, topic_name

pytestmark = pytest.mark.integration

WAIT_S = 5.0


async def test_what_waits_in_a_retry_topic_ends_whether_it_returns_expires_or_cannot_return(
    deployment: Deployment,
) -> None:
    late = a_row_task(1).model_copy(update={"deadline": datetime.now(UTC) + timedelta(seconds=WAIT_S / 2)})
    await deployment.start_provider()
    lost = waiting(a_row_task(2))
    lost = replace(lost, headers=[(n, v) for n, v in lost.headers if n != names.RETRY_OF])
    await deployment._producer.send([waiting(a_row_task(0)), waiting(late), lost])

    _, base = await deployment.start_worker()

    await until(lambda: deployment.has_finished(3))
    outcomes = {event.task.task_id: event.outcome for event in await deployment.events(TaskFinished)}
    assert outcomes == {
        "task-0": Outcome.PUBLISHED,
        "task-1": Outcome.EXPIRED,
        "task-2": Outcome.DEAD_LETTERED,
    }
    assert len(deployment.provider_lines("request")) == 1
    await deployment.ready(f"{base}/metrics", lambda answer: COUNTED in answer.text)


COUNTED = f'records_redelivered_total{{topic="{topic_name(TaskSubmitted, Lane.BULK)}"}} 2.0'


def waiting(task: Task) -> OutRecord:
    record = event_record(TaskSubmitted(task=task), Lineage(source="urn:test"))
    added = {
        names.RETRY_OF: f"{record.topic}/0/0",
        names.RETRY_NOT_BEFORE: str(int((time.time() + WAIT_S) * 1000)),
    }
    headers = (*record.headers, *((name, value.encode()) for name, value in added.items()))
    return replace(record, topic=RETRY_TIERS[0].topic, headers=headers)
