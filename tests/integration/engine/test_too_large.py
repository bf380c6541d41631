"""Records that are too large for where they must go, on a real broker: stored, referred to, brought back."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from builders import a_classified, a_submitted, a_task
from fakes.engine_stage import ControlledStage
from fakes.stage_ports import a_recipe, some_ports
from fixtures.broker import until
from fixtures.engine import EngineLine
from processors.errors import InvalidRecordError
from processors.ports import Ports
from schemas.base import Stage
from schemas.codec import EVENT_BYTES_MAX
from schemas.events import TaskClassified, TaskSubmitted
from schemas.failures import DLQ_CLAIM
from schemas.headers import text_headers
from streams.claim_checks import claim_of
from streams.claim_producer import ClaimCheckProducer
from streams.cli import main
from streams.engine.records import InRecord
from streams.envelope import Lineage, event_record
from streams.pipeline import PIPELINE
from streams.stage_handler import StageHandler
from streams.store.claim_checks import PostgresClaimStore
from streams.store.database import Database
from streams.store.reviews import PostgresReviews
from streams.store.task_events import PostgresTaskEvents
from streams.store.tasks import PostgresTaskIndex
from streams.task_index import TaskIndexer
from streams.telemetry import Telemetry
from streams.topic_admin import create_missing

pytestmark = pytest.mark.integration

CLASSIFIED = "pressline.task.classified.bulk.v1"
DEAD = "pressline.generate.dead.v1"
LARGE = b'\xff\x00 {"a":  1}\r\n' * 700_000
HEADERS = [("x", b"\xfe"), ("x", b"2")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    line: EngineLine
    producer: ClaimCheckProducer
    database: Database
    database_url: str

    async def submit_large(self) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.line.brokers, max_request_size=2 * len(LARGE)
        ) as sender:
            await sender.send_and_wait(self.line.topic, LARGE, key=b"k\xff", headers=HEADERS, partition=0)

    async def command(self, *arguments: str) -> Result:
        env = {"PRESSLINE_BROKERS": self.line.brokers, "PRESSLINE_DATABASE_URL": self.database_url}
        return await asyncio.to_thread(CliRunner().invoke, main, ["dead-letters", *arguments], env=env)


@pytest.fixture
async def scene(line: EngineLine, database: Database, empty_database_url: str) -> AsyncIterator[Scene]:
    await create_missing(line.brokers, 1, 1)
    await take_large(line.admin, line.topic)
    producer = ClaimCheckProducer(line.brokers, "test", PostgresClaimStore(database))
    await producer.start()
    yield Scene(line=line, producer=producer, database=database, database_url=empty_database_url)
    await producer.stop()


async def take_large(admin: AIOKafkaAdminClient, topic: str) -> None:
    configs = {"max.message.bytes": str(2 * len(LARGE))}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=configs)])


async def test_a_record_too_large_for_the_dead_letter_topic_becomes_a_letter_that_refers_to_it(
    scene: Scene,
) -> None:
    line = scene.line

    async def behave(record: InRecord) -> None:
        if record.value == LARGE:
            raise InvalidRecordError("not JSON")

    await scene.submit_large()
    await line.submit([b"good"])
    member = await line.join(ControlledStage("a", line.out, DEAD, behave), producer=scene.producer)

    await until(lambda: line.has_finished(0, 2))
    letters = [one for one in await line.read(DEAD) if origin(one.headers) == line.topic]
    [letter] = letters
    position = f"{DEAD}/{letter.partition}/{letter.offset}"
    shown = orjson.loads((await scene.command("show", position, "--json")).stdout)
    exported = [orjson.loads(row) for row in (await scene.command("export")).stdout.splitlines()]
    [ours] = [row for row in exported if row["position"] == position]

    assert member.health().in_flight == 0
    assert text_headers(letter.headers)[DLQ_CLAIM] == "pressline.claim.v1"
    assert len(letter.value or b"") < 1000
    for one in (shown, ours):
        assert base64.b64decode(one["value_base64"]) == LARGE
        assert base64.b64decode(one["key_base64"]) == b"k\xff"
        assert one["origin"] == f"{line.topic}/0/0"
        assert [[name, base64.b64decode(text)] for name, text in one["headers_base64"][:2]] == [
            ["x", b"\xfe"],
            ["x", b"2"],
        ]


async def test_an_event_too_large_to_travel_goes_from_stage_to_stage_and_into_the_index(scene: Scene) -> None:
    line, task = scene.line, a_task(task_id=secrets.token_hex(8), inputs={"text": "x" * 2 * EVENT_BYTES_MAX})
    submitted = event_record(a_submitted(task=task), Lineage(source="urn:test"))
    await scene.producer.send([replace(submitted, topic=line.topic, partition=0)])

    await line.join(a_handler(scene), producer=scene.producer)

    await until(lambda: line.has_finished(0, 1))
    [record] = [one for one in await line.read(CLASSIFIED) if one.key == task.key]
    indexer = TaskIndexer(
        line.brokers,
        "test",
        PostgresTaskIndex(scene.database),
        PostgresReviews(scene.database),
        PostgresTaskEvents(scene.database),
        PostgresClaimStore(scene.database),
    )
    await indexer._write([record])
    indexed = await PostgresTaskIndex(scene.database).get(task.submission_id)
    check = claim_of(record.headers, record.value)
    assert check is not None
    assert (check.size_bytes > 2 * EVENT_BYTES_MAX, len(record.value) < 1000) == (True, True)
    assert indexed is not None
    assert (indexed.state, indexed.inputs) == ("classified", task.inputs)


async def test_an_event_whose_claim_is_lost_is_dead_lettered_and_the_reason_is_clear(scene: Scene) -> None:
    line = scene.line
    task = a_task(inputs={"text": "x" * EVENT_BYTES_MAX})
    submitted = event_record(a_submitted(task=task), Lineage(source="urn:test"))
    await scene.producer.send([replace(submitted, topic=line.topic, partition=0)])
    await scene.database.fetch("DELETE FROM claim_checks")

    await line.join(a_handler(scene), producer=scene.producer)

    await until(lambda: line.has_finished(0, 1))
    letters = await line.read("pressline.classify.dead.v1")
    [headers] = [text_headers(one.headers) for one in letters if origin(one.headers) == line.topic]
    assert headers["__dlq.errors.reason"] == "claim_lost"
    assert "deleted from claim_checks" in headers["__dlq.errors.message"]


def a_handler(scene: Scene) -> StageHandler:
    async def run(event: TaskSubmitted, _ports: Ports) -> TaskClassified:
        return a_classified(task=event.task)

    return StageHandler(
        spec=replace(PIPELINE[Stage.CLASSIFY], run=run),
        ports=some_ports(recipe=a_recipe()),
        telemetry=Telemetry(CollectorRegistry()),
        claims=PostgresClaimStore(scene.database),
    )


async def test_a_letter_whose_record_is_lost_is_shown_as_what_is_left_of_it(scene: Scene) -> None:
    line = scene.line

    async def fail(_: InRecord) -> None:
        raise InvalidRecordError("not JSON")

    await scene.submit_large()
    await line.join(ControlledStage("a", line.out, DEAD, fail), producer=scene.producer)
    await until(lambda: line.has_finished(0, 1))
    [letter] = [one for one in await line.read(DEAD) if origin(one.headers) == line.topic]
    await scene.database.fetch("DELETE FROM claim_checks")

    shown = await scene.command("show", f"{DEAD}/{letter.partition}/{letter.offset}", "--json")

    assert shown.exit_code == 0
    assert "only the reference is left" in shown.stderr
    assert base64.b64decode(orjson.loads(shown.stdout)["value_base64"]) == letter.value


def origin(headers: tuple[tuple[str, bytes], ...]) -> str:
    return text_headers(headers).get("__dlq.errors.topic", "")
