"""Batches that inflate to much more than they weigh, and batches that cannot be read, on a real broker."""

import secrets
import tracemalloc
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.record.memory_records import MemoryRecords
from prometheus_client import CollectorRegistry

from builders import a_classified, a_submitted
from fakes.claim_store import FakeClaimStore
from fakes.stage_ports import a_recipe, some_ports
from fixtures.broker import until
from fixtures.engine import EngineLine
from processors.ports import Ports
from schemas.base import Stage
from schemas.events import TaskClassified, TaskSubmitted
from schemas.headers import BATCH_OFFSETS, BATCH_REFUSED, text_headers
from streams.engine.inflation import INFLATED_BYTES_MAX
from streams.engine.records import OutRecord
from streams.envelope import Lineage, event_record
from streams.pipeline import PIPELINE
from streams.stage_handler import StageHandler
from streams.telemetry import Telemetry
from streams.topic_admin import create_missing

pytestmark = pytest.mark.integration

PIECES, PIECE_BYTES = 40, 4 * 1_048_576
DEAD = "pressline.classify.dead.v1"
EVENT = event_record(a_submitted(), Lineage(source="urn:test"))


async def test_a_bomb_is_dead_lettered_whole_unopened_and_its_partition_goes_on(line: EngineLine) -> None:
    await create_missing(line.brokers, 2, 1)
    await line.create(line.topic, 2)
    mark = secrets.token_hex(8).encode()
    await send_good(line, mark, 0)
    await send_bomb(line)
    await send_good(line, mark, 0)
    await send_good(line, mark, 1)

    most_bytes = await finish(line, mark)

    [letter] = [one for one in await line.read(DEAD) if origin(one) == line.topic]
    headers = text_headers(letter.headers)
    batch = MemoryRecords(letter.value).next_batch()
    classified = await line.read("pressline.task.classified.bulk.v1")
    assert (headers[BATCH_OFFSETS], letter.partition) == (f"1-{PIECES}", 0)
    assert headers["__dlq.errors.reason"] == "invalid_message"
    assert "within" in headers[BATCH_REFUSED]
    assert (batch.validate_crc(), batch.base_offset, batch.next_offset) == (True, 1, PIECES + 1)
    assert len([one for one in classified if one.key == mark]) == 3
    assert most_bytes < 3 * INFLATED_BYTES_MAX < PIECES * PIECE_BYTES


async def finish(line: EngineLine, mark: bytes) -> int:
    """Run everything and return the most bytes that Python held meanwhile; aiokafka inflates into those."""
    tracemalloc.start()
    try:
        await line.join(a_handler(mark))
        await until(lambda: line.has_finished(0, PIECES + 2))
        await until(lambda: line.has_finished(1, 1))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def origin(record: ConsumerRecord) -> str:
    return text_headers(record.headers)["__dlq.errors.topic"]


async def send_bomb(line: EngineLine) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=line.brokers, compression_type="gzip", max_batch_size=PIECES * PIECE_BYTES * 2
    ) as producer:
        batch = producer.create_batch()
        for _ in range(PIECES):
            batch.append(key=None, value=bytes(PIECE_BYTES), timestamp=None)
        batch.close()
        await (await producer.send_batch(batch, line.topic, partition=0))


async def send_good(line: EngineLine, mark: bytes, partition: int) -> None:
    record = OutRecord(
        topic=line.topic, key=mark, value=EVENT.value, headers=EVENT.headers, partition=partition
    )
    await line.producer.send([record])


def a_handler(key: bytes) -> StageHandler:
    async def run(event: TaskSubmitted, _ports: Ports) -> TaskClassified:
        task = event.task.model_copy(update={"order_key": key.decode()})
        return a_classified(task=task)

    return StageHandler(
        spec=replace(PIPELINE[Stage.CLASSIFY], run=run),
        ports=some_ports(recipe=a_recipe()),
        telemetry=Telemetry(CollectorRegistry()),
        claims=FakeClaimStore(),
    )
