"""aiokafka by hand: a task per record, an awaited send, a commit of the position every second.

It is faster to write than right: what it commits passes records that are still in flight.
"""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from meter import Job, Meter

COMMIT_S = 1.0


class Forwarder:
    """Forwards each record in a task of its own.

    Args:
        job: the job.
        producer: started.
    """

    def __init__(self, job: Job, producer: Any) -> None:
        self.meter = Meter(job)
        self._job = job
        self._producer = producer
        self._slots = asyncio.Semaphore(job.in_flight)
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, record: ConsumerRecord) -> None:
        """Start the record's task once there is a slot."""
        await self._slots.acquire()
        task = asyncio.create_task(self._forward(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for all tasks."""
        await asyncio.gather(*self._tasks)

    async def _forward(self, record: ConsumerRecord) -> None:
        self.meter.taken()
        if self._job.call_s:
            await asyncio.sleep(self._job.call_s)
        self.meter.answered()
        await self._producer.send_and_wait(self._job.out, key=record.key, value=record.value)
        self._slots.release()


async def consume(consumer: Any, forwarder: Forwarder, records: int) -> None:
    """Take so many records and forward them."""
    taken, committed_s = 0, time.monotonic()
    while taken < records:
        batches = await consumer.getmany(timeout_ms=200, max_records=500)
        for record in (record for batch in batches.values() for record in batch):
            await forwarder.take(record)
            taken += 1
        if time.monotonic() - committed_s > COMMIT_S:
            await consumer.commit()
            committed_s = time.monotonic()
    await forwarder.drain()


async def main() -> None:
    """Forward all records."""
    job = Job.from_command_line()
    options = {"bootstrap_servers": job.brokers}
    producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, max_batch_size=65_536)
    consumer = AIOKafkaConsumer(
        job.topic, **options, group_id=job.group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await producer.start()
    await consumer.start()
    forwarder = Forwarder(job, producer)
    await consume(consumer, forwarder, job.records)
    forwarder.meter.report()
    await consumer.stop()
    await producer.stop()


asyncio.run(main())
