"""FastStream with `faststream-concurrent-aiokafka`: a task per message, commits in batches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.middlewares import AckPolicy
from faststream_concurrent_aiokafka import (
    KafkaConcurrentProcessingMiddleware,
    initialize_concurrent_processing,
    stop_concurrent_processing,
)
from meter import Job, Meter

COMMIT_RECORDS = 1000
COMMIT_S = 1.0

job = Job.from_command_line()
meter = Meter()
broker = KafkaBroker(job.brokers, acks="all", logger=None)
broker.add_middleware(KafkaConcurrentProcessingMiddleware)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Run the add-on as long as the application."""
    await initialize_concurrent_processing(
        context=broker.context,
        concurrency_limit=job.in_flight,
        commit_batch_size=COMMIT_RECORDS,
        commit_batch_timeout_sec=COMMIT_S,
    )
    try:
        yield
    finally:
        await stop_concurrent_processing(broker.context)


@broker.subscriber(job.topic, group_id=job.group, auto_offset_reset="earliest", ack_policy=AckPolicy.MANUAL)
async def forward(message: KafkaMessage) -> None:
    """Send the value on."""
    meter.taken()
    if job.call_s:
        await asyncio.sleep(job.sleep_s(message.body))
    await broker.publish(message.body, topic=job.out, key=message.raw_message.key)


asyncio.run(FastStream(broker, logger=None, lifespan=lifespan).run())
