"""Pressline's stage consumer with all that a worker gives it: gate, two weighted lanes, tenants."""

import asyncio
from collections.abc import Sequence

from meter import Job, Meter

from processors.disposition import RetryPolicy
from processors.gates import Gates
from schemas.base import Lane, Stage
from schemas.scope import Scope, ScopeKind
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.gate import StageGate
from streams.engine.group import GroupSettings
from streams.engine.intake import Ordering
from streams.engine.producer import RecordProducer
from streams.engine.records import Delivery, Failure, InRecord, OutRecord, Postponement


class Forward:
    """Sleeps, and sends the value on.

    Args:
        job: the job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._meter = Meter()

    async def handle(self, record: InRecord, _delivery: Delivery) -> Sequence[OutRecord]:
        """Return the value for the output topic."""
        self._meter.taken()
        if self._job.call_s:
            await asyncio.sleep(self._job.sleep_s(record.value or b""))
        return (OutRecord(topic=self._job.out, key=record.key, value=record.value),)

    def postpone(
        self, record: InRecord, _postponement: Postponement, _delivery: Delivery
    ) -> Sequence[OutRecord]:
        """Nothing waits here."""
        raise AssertionError(f"{record.topic}/{record.partition}/{record.offset} was postponed")

    def give_up(self, _record: InRecord, failure: Failure, _delivery: Delivery) -> Sequence[OutRecord]:
        """Nothing fails here."""
        raise failure.error


def stage_consumer(job: Job, producer: RecordProducer) -> StageConsumer:
    """Return the consumer, wired as the worker wires its own."""
    lanes = {job.topic: Lane.LIVE, f"{job.topic}.bulk": Lane.BULK}
    gates = Gates()
    # Somebody else is held back, so that the gate looks at every record's scopes.
    gates.close(Scope(ScopeKind.TENANT, "held-back"), "operator", "so that the gate has work to do")
    return StageConsumer(
        GroupSettings(brokers=job.brokers, group=job.group, client_id="pressline", topics=tuple(lanes)),
        ConsumerSettings(
            ordering=Ordering(job.ordering),
            in_flight_max=job.in_flight,
            weights={job.topic: 9, f"{job.topic}.bulk": 1},
            tenant_in_flight_max=job.in_flight,
        ),
        Forward(job),
        producer,
        policy=RetryPolicy(),
        on_share=lambda _: None,
        gate=StageGate(gates=gates, stage=Stage.GENERATE, lanes=lanes),
    )


async def main() -> None:
    """Forward all records."""
    job = Job.from_command_line()
    producer = RecordProducer(job.brokers, "pressline")
    await producer.start()
    await stage_consumer(job, producer).start()
    await asyncio.Event().wait()


asyncio.run(main())
