"""Quix Streams: one record at a time, librdkafka underneath."""

import time

from meter import Job, Meter
from quixstreams import Application

job = Job.from_command_line()
meter = Meter()


def forward(value: bytes) -> bytes:
    """Return the value."""
    meter.taken()
    if job.call_s:
        time.sleep(job.sleep_s(value))
    return value


app = Application(
    broker_address=job.brokers,
    consumer_group=job.group,
    auto_offset_reset="earliest",
    auto_create_topics=False,
    loglevel="ERROR",
)
source = app.topic(job.topic, key_deserializer="bytes", value_deserializer="bytes")
target = app.topic(job.out, key_serializer="bytes", value_serializer="bytes")
app.dataframe(source).apply(forward).to_topic(target)
app.run()
