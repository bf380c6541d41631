"""A stock Faust agent that forwards each value; its command line ends with `worker` and the job."""

import os
import sys
from collections.abc import AsyncIterable
from typing import Any

import faust
from meter import Job, Meter

job = Job.from_command_line()
sys.argv = [sys.argv[0], "worker", "--without-web", "--loglevel", "error"]
meter = Meter(job)
app = faust.App(
    job.group,
    broker=f"kafka://{job.brokers}",
    topic_disable_leader=True,
    producer_acks=-1,
    worker_redirect_stdouts=False,
)
source = app.topic(job.topic, value_serializer="raw")
target = app.topic(job.out, value_serializer="raw")


@app.agent(source)  # type: ignore[untyped-decorator]
async def forward(values: AsyncIterable[Any]) -> None:
    """Send each value on."""
    count = 0
    async for value in values:
        meter.taken()
        await target.send(value=value)
        meter.answered()
        count += 1
        if count == job.records:
            await app.producer.flush()
            meter.report()
            os._exit(0)


app.main()
