"""aiokafka by hand: a semaphore, a task per record, an awaited send, a commit every second.

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
        self._meter = Meter()
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

    async def _forward(self, record: ConsumerRecord) -> None:
        self._meter.taken()
        if self._job.call_s:
            await asyncio.sleep(self._job.sleep_s(record.value))
        await self._producer.send_and_wait(self._job.out, key=record.key, value=record.value)
        self._slots.release()


async def consume(consumer: Any, forwarder: Forwarder) -> None:
    """Take records and forward them, until the process is ended."""
    committed_s = time.monotonic()
    while True:
        batches = await consumer.getmany(timeout_ms=200, max_records=500)
        for record in (record for batch in batches.values() for record in batch):
            await forwarder.take(record)
        if time.monotonic() - committed_s > COMMIT_S:
            await consumer.commit()
            committed_s = time.monotonic()


async def main() -> None:
    """Forward all records."""
    job = Job.from_command_line()
    options = {"bootstrap_servers": job.brokers}
    producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, max_batch_size=524_288)
    consumer = AIOKafkaConsumer(
        job.topic, **options, group_id=job.group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await producer.start()
    await consumer.start()
    await consume(consumer, Forwarder(job, producer))


asyncio.run(main())
