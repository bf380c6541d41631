"""A batch that cannot be read makes a poll fail; what other partitions gave in that poll is not lost."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import CorruptRecordException

from fixtures.engine import EngineLine
from streams.engine import record_batches
from streams.engine.inflation import inflate
from streams.engine.record_batches import BoundedConsumer

pytestmark = pytest.mark.integration

PARTITIONS, FAILURES = 4, 4
FETCHED_S = 0.5
POLLS_MAX = 40


async def test_a_poll_that_fails_loses_no_record_of_any_partition(
    line: EngineLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await line.create(line.topic, PARTITIONS)
    await send(line, [f"{number}" for number in range(PARTITIONS)])
    monkeypatch.setattr(record_batches, "inflate", damaged(FAILURES))

    found, failures = await read(line, PARTITIONS)

    assert (sorted(found), failures) == ([f"{number}" for number in range(PARTITIONS)], FAILURES)


def damaged(times: int) -> Callable[[int, bytes], memoryview]:
    """Return an `inflate` that fails so often, each second time that it is asked."""
    asked = iter(range(2 * times))

    def fail_or_inflate(codec: int, data: bytes) -> memoryview:
        if next(asked, 0) % 2:
            raise CorruptRecordException("damaged")
        return inflate(codec, data)

    return fail_or_inflate


async def send(line: EngineLine, values: list[str]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=line.brokers, compression_type="gzip") as producer:
        for number, value in enumerate(values):
            await producer.send_and_wait(line.topic, value.encode(), partition=number)


async def read(line: EngineLine, count: int) -> tuple[list[str], int]:
    """Poll until so many records came and no more failures; return their values and how often it failed."""
    consumer = BoundedConsumer(bootstrap_servers=line.brokers, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(line.topic, number) for number in range(PARTITIONS)])
    found: list[str] = []
    failures = 0
    for _ in range(POLLS_MAX):
        await asyncio.sleep(FETCHED_S)
        try:
            batches = await consumer.getmany(timeout_ms=200)
        except CorruptRecordException:
            failures += 1
            continue
        found += [record.value.decode() for records in batches.values() for record in records]
        if len(found) >= count:
            break
    await consumer.stop()
    return found, failures
