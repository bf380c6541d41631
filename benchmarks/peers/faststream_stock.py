"""FastStream as it comes: one message at a time, acknowledged after its handler."""

import asyncio

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.middlewares import AckPolicy
from meter import Job, Meter

job = Job.from_command_line()
meter = Meter()
broker = KafkaBroker(job.brokers, acks="all", logger=None)


@broker.subscriber(job.topic, group_id=job.group, auto_offset_reset="earliest", ack_policy=AckPolicy.ACK)
async def forward(message: KafkaMessage) -> None:
    """Send the value on."""
    meter.taken()
    if job.call_s:
        await asyncio.sleep(job.sleep_s(message.body))
    await broker.publish(message.body, topic=job.out, key=message.raw_message.key)


asyncio.run(FastStream(broker, logger=None).run())
