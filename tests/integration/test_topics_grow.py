"""`pressline topics --grow` on real Kafka: every topic gets as many partitions, and no record is lost."""

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from fixtures.worker import Deployment
from schemas.base import Stage
from streams.cli import main
from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord
from streams.topic_admin import grow
from streams.topics import dead_letter_topic

pytestmark = pytest.mark.integration
LETTERS = dead_letter_topic(Stage.GENERATE)


async def grown(deployment: Deployment, partitions: int) -> Result:
    arguments = ["topics", "--grow", "--partitions", str(partitions), "--json"]
    environment = {"PRESSLINE_BROKERS": deployment.brokers}
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)


async def test_every_topic_but_the_control_topic_grows_and_none_shrinks(deployment: Deployment) -> None:
    producer = RecordProducer(deployment.brokers, "test")
    await producer.start()
    await producer.send([OutRecord(topic=LETTERS, key=b"k", value=b"old", partition=7)])

    more = await grown(deployment, 10)
    fewer = await grown(deployment, 4)
    await producer.send([OutRecord(topic=LETTERS, key=b"k", value=b"new", partition=9)])
    await producer.stop()

    counts = {row["topic"]: row["partitions"] for row in map(json.loads, more.stdout.splitlines())}
    assert counts.pop("pressline.control.v1") == 1
    assert set(counts.values()) == {10}
    assert more.stdout == fewer.stdout
    assert await grow(deployment.brokers, 10) == ()


async def test_what_a_stage_sends_to_grows_before_what_it_takes(deployment: Deployment) -> None:
    order = await grow(deployment.brokers, 9)

    assert order.index(LETTERS) < order.index("pressline.task.classified.live.v1")
    assert order.index("pressline.task.validated.live.v1") < order.index("pressline.task.generated.live.v1")
