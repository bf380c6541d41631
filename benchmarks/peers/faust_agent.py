"""A stock Faust agent, its concurrency that of the calls; its command line ends with `worker` and the job."""

import asyncio
import sys
from collections.abc import AsyncIterable
from typing import Any

import faust
from meter import Job, Meter

job = Job.from_command_line()
sys.argv = [sys.argv[0], "worker", "--without-web", "--loglevel", "error"]
meter = Meter()
app = faust.App(
    job.group,
    broker=f"kafka://{job.brokers}",
    topic_disable_leader=True,
    producer_acks=-1,
    worker_redirect_stdouts=False,
)
source = app.topic(job.topic, key_type=bytes, value_serializer="raw")
target = app.topic(job.out, key_type=bytes, value_serializer="raw")


@app.agent(source, concurrency=job.in_flight)  # type: ignore[untyped-decorator]
async def forward(values: AsyncIterable[Any]) -> None:
    """Send each value on."""
    async for key, value in values.items():  # type: ignore[attr-defined]
        meter.taken()
        if job.call_s:
            await asyncio.sleep(job.sleep_s(value))
        await target.send(key=key, value=value)


app.main()
