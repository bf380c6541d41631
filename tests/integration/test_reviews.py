"""Reviews on the real stores and broker: decided once, sent however often it takes."""

import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaConnectionError
from click.testing import CliRunner, Result

from builders import NOW, a_review_requested, a_task, a_validated
from fakes.deaf_producer import DeafProducer
from fixtures.broker import TOPIC_PARTITIONS
from schemas.base import Outcome
from schemas.codec import decode
from schemas.events import ReviewDecided, TaskFinished, TaskValidated
from schemas.task import Task
from streams.cli import main
from streams.embedded.kafka import EmbeddedKafka
from streams.reviews import ReviewDesk
from streams.store.database import Database
from streams.store.reviews import PostgresReviews
from streams.store.task_rows import Progress, finished_row, progress_row
from streams.store.tasks import PostgresTaskIndex
from streams.topic_admin import create_missing

pytestmark = pytest.mark.integration

PROCESS_S_MAX = 60.0
VALIDATED = "pressline.task.validated.bulk.v1"
FINISHED = "pressline.task.finished.v1"
DECIDED = "pressline.review.decided.v1"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""Source: https://www.w3.org/TR/trace-context/#examples-of-http-traceparent-headers"""


def _traces(*records: ConsumerRecord) -> set[str]:
    return {dict(record.headers)["traceparent"].decode().split("-")[1] for record in records}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One held page in a database of its own."""

    brokers: str
    database_url: str
    reviews: PostgresReviews
    tasks: PostgresTaskIndex
    task: Task

    @property
    def environment(self) -> dict[str, str]:
        return {"PRESSLINE_BROKERS": self.brokers, "PRESSLINE_DATABASE_URL": self.database_url}

    async def command(self, *arguments: str) -> Result:
        """Run a command, one at a time: the runner swaps the whole process's environment and output."""
        arguments = ("review", *arguments)
        return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=self.environment)

    async def process(self, *arguments: str) -> int:
        """Run a command as a process of its own and return its exit code."""
        command = (sys.executable, "-m", "streams", "review", *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=os.environ | self.environment)
        return await asyncio.wait_for(process.wait(), PROCESS_S_MAX)

    async def sent(self, topic: str) -> Sequence[ConsumerRecord]:
        """Return what stands in the topic for this task."""
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=self.brokers, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        try:
            batches = await consumer.getmany(timeout_ms=2000)
            return [r for records in batches.values() for r in records if r.key == self.task.key]
        finally:
            await consumer.stop()


@pytest.fixture
async def scene(kafka: EmbeddedKafka, database: Database, empty_database_url: str) -> Scene:
    await create_missing(kafka.bootstrap_servers, TOPIC_PARTITIONS, 1)
    reviews, tasks = PostgresReviews(database), PostgresTaskIndex(database)
    task = a_task(task_id=f"task-{secrets.token_hex(6)}")
    held = a_validated(task=task)
    await reviews.put(a_review_requested(held=held), TRACEPARENT)
    await tasks.put([progress_row(task, Progress.IN_REVIEW, replay=2)])
    return Scene(
        brokers=kafka.bootstrap_servers,
        database_url=empty_database_url,
        reviews=reviews,
        tasks=tasks,
        task=task,
    )


async def test_a_held_page_is_listed_and_shown(scene: Scene) -> None:
    listed = await scene.command("list", "--json")
    table = await scene.command("list")
    shown = await scene.command("show", scene.task.submission_id)

    [row] = [orjson.loads(line) for line in listed.stdout.splitlines()]
    assert (row["submission_id"], row["reason"]) == (scene.task.submission_id, "score 0.5 is below 0.6")
    assert "document" not in row
    assert "1 waiting for a person" in table.stdout
    assert a_validated().document.body in shown.stdout


async def test_an_approved_page_goes_to_publish_with_its_replay_count(scene: Scene) -> None:
    result = await scene.command("approve", scene.task.submission_id, "--reviewer", "ann")

    [page] = await scene.sent(VALIDATED)
    [decision] = await scene.sent(DECIDED)
    assert (result.exit_code, result.stdout) == (0, f"{scene.task.submission_id} approved by ann\n")
    assert decode(page.value, TaskValidated).reviewer == "ann"
    assert dict(page.headers)["replay-count"] == b"2"
    assert _traces(page, decision) == {TRACEPARENT.split("-")[1]}
    assert decode(decision.value, ReviewDecided).approved
    assert await scene.reviews.pending(10) == []


async def test_a_rejected_page_ends_its_task(scene: Scene) -> None:
    await scene.command(
        "reject", scene.task.submission_id, "--reviewer", "ann", "--reason", "the price is out of date"
    )

    [end] = await scene.sent(FINISHED)
    finished = decode(end.value, TaskFinished)
    await scene.tasks.put([finished_row(finished)])
    row = await scene.tasks.get(scene.task.submission_id)
    assert (finished.outcome, finished.replay) == (Outcome.REJECTED, 2)
    assert finished.reason == "rejected by ann: the price is out of date"
    assert row is not None
    assert row.state == "rejected"


async def test_a_page_is_decided_once(scene: Scene) -> None:
    await scene.command("approve", scene.task.submission_id, "--reviewer", "ann")

    other_person = await scene.command("approve", scene.task.submission_id, "--reviewer", "bob")
    other_word = await scene.command("reject", scene.task.submission_id, "--reviewer", "ann")

    assert (other_person.exit_code, other_word.exit_code) == (1, 1)
    assert "ann approved it on" in other_person.stderr
    assert len(await scene.sent(VALIDATED)) == 1
    assert await scene.sent(FINISHED) == []


async def test_one_of_two_reviewers_at_the_same_time_decides(scene: Scene) -> None:
    exit_codes = await asyncio.gather(
        scene.process("approve", scene.task.submission_id, "--reviewer", "ann"),
        scene.process("reject", scene.task.submission_id, "--reviewer", "bob"),
    )

    assert sorted(exit_codes) == [0, 1]
    assert len(await scene.sent(VALIDATED)) + len(await scene.sent(FINISHED)) == 1


async def test_a_decision_that_was_not_sent_is_sent_by_the_same_decision(scene: Scene) -> None:
    desk = ReviewDesk(scene.reviews, scene.tasks, DeafProducer())
    with pytest.raises(KafkaConnectionError):
        await desk.decide(scene.task.submission_id, approved=True, reviewer="ann", reason="first", at=NOW)

    again = await scene.command("approve", scene.task.submission_id, "--reviewer", "ann")

    [decision] = await scene.sent(DECIDED)
    decided = decode(decision.value, ReviewDecided)
    assert again.exit_code == 0
    assert (decided.reason, decided.decided_at) == ("first", NOW)
    assert len(await scene.sent(VALIDATED)) == 1


async def test_an_unknown_page_fails_without_stopping_the_others(scene: Scene) -> None:
    result = await scene.command("approve", "nothing", scene.task.submission_id, "--reviewer", "ann")

    assert (result.exit_code, "nothing: no page" in result.stderr) == (1, True)
    assert f"{scene.task.submission_id} approved by ann" in result.stdout
    assert (await scene.command("show", "nothing")).exit_code == 1


async def test_a_reviewer_needs_a_name_that_events_can_carry(scene: Scene) -> None:
    result = await scene.command("approve", scene.task.submission_id, "--reviewer", "ann smith")

    assert (result.exit_code, "is not a name" in result.stderr) == (2, True)
    assert len(await scene.reviews.pending(10)) == 1
