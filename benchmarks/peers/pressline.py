"""Pressline's stage consumer: a handler that sleeps and forwards."""

import asyncio
from collections.abc import Sequence

from meter import Job, Meter

from processors.disposition import RetryPolicy
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.group import GroupSettings
from streams.engine.producer import RecordProducer
from streams.engine.records import Delivery, Failure, InRecord, OutRecord, Postponement

POLL_S = 0.01


class Forward:
    """Sleeps, and sends the value on.

    Args:
        job: the job.
        meter: told of each record and answer.
    """

    def __init__(self, job: Job, meter: Meter) -> None:
        self._job = job
        self._meter = meter

    async def handle(self, record: InRecord, _delivery: Delivery) -> Sequence[OutRecord]:
        """Return the value for the output topic."""
        self._meter.taken()
        if self._job.call_s:
            await asyncio.sleep(self._job.call_s)
        self._meter.answered()
        return (OutRecord(topic=self._job.out, key=record.key, value=record.value),)

    def postpone(
        self, record: InRecord, _postponement: Postponement, _delivery: Delivery
    ) -> Sequence[OutRecord]:
        """Nothing waits here."""
        raise AssertionError(f"{record.topic}/{record.partition}/{record.offset} was postponed")

    def give_up(self, _record: InRecord, failure: Failure, _delivery: Delivery) -> Sequence[OutRecord]:
        """Nothing fails here."""
        raise failure.error


async def main() -> None:
    """Forward all records."""
    job = Job.from_command_line()
    meter = Meter(job)
    producer = RecordProducer(job.brokers, "pressline")
    await producer.start()
    consumer = StageConsumer(
        GroupSettings(brokers=job.brokers, group=job.group, client_id="pressline", topics=(job.topic,)),
        ConsumerSettings(in_flight_max=job.in_flight),
        Forward(job, meter),
        producer,
        policy=RetryPolicy(),
        on_share=lambda _: None,
    )
    await consumer.start()
    # The engine counts and tells nobody; its health is looked at when little is left to wait for.
    while not meter.complete or consumer.health().finished < job.records:  # noqa: ASYNC110 - see above
        await asyncio.sleep(POLL_S)
    meter.report()
    await consumer.stop()
    await producer.stop()


asyncio.run(main())
