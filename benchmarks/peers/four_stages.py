"""The four stages of one worker: real topics, codecs, breakers and metrics, and nothing to do in them."""

import asyncio
from dataclasses import replace
from typing import Any, cast

from meter import Job, Meter
from prometheus_client import CollectorRegistry

from processors.disposition import RetryPolicy
from processors.gates import Gates
from processors.ports import Ports
from schemas.base import Lane, Outcome, Risk, Stage, Tier
from schemas.events import (
    Document,
    Plan,
    Spend,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.gate import StageGate
from streams.engine.group import GroupSettings
from streams.engine.producer import RecordProducer
from streams.pipeline import PIPELINE, StageSpec
from streams.stage_handler import StageHandler
from streams.telemetry import Telemetry

LANE_WEIGHTS = {Lane.LIVE: 9, Lane.BULK: 1}
PAGE = Document(slug="page", title="A page", body="One sentence of a page. " * 100, simulated=True)

job = Job.from_command_line()
meter = Meter()


async def classify(event: TaskSubmitted, _: Ports) -> TaskClassified:
    """Give the task a plan."""
    meter.taken()
    plan = Plan(
        recipe="bench@0123456789ab",
        revision=event.task.revision("0123456789ab"),
        difficulty=0.2,
        tier=Tier.SMALL,
        model="small-1",
        risk=Risk.LOW,
        why="nothing is decided here",
    )
    return TaskClassified(task=event.task, plan=plan, repair=None, spend=Spend())


async def generate(event: TaskClassified, _: Ports) -> TaskGenerated:
    """Give the task a page."""
    return TaskGenerated(task=event.task, plan=event.plan, document=PAGE, steps=(), spend=event.spend)


async def validate(event: TaskGenerated, _: Ports) -> TaskValidated:
    """Find nothing wrong."""
    return TaskValidated(
        task=event.task, plan=event.plan, document=event.document, score=1.0, findings=(), spend=event.spend
    )


async def publish(event: TaskValidated, _: Ports) -> TaskFinished:
    """Put it nowhere."""
    return TaskFinished(task=event.task, outcome=Outcome.PUBLISHED, stage=Stage.PUBLISH, spend=event.spend)


EMPTY = {
    Stage.CLASSIFY: classify,
    Stage.GENERATE: generate,
    Stage.VALIDATE: validate,
    Stage.PUBLISH: publish,
}


def stage_consumer(spec: StageSpec, producer: RecordProducer, telemetry: Telemetry) -> StageConsumer:
    """Return the stage's consumer, wired as the worker wires it."""
    nothing: Any = None
    ports = Ports(
        clock=nothing,
        recipes=nothing,
        catalogue=nothing,
        model=nothing,
        pages=nothing,
        publications=nothing,
    )
    return StageConsumer(
        GroupSettings(brokers=job.brokers, group=spec.group, client_id="bench", topics=spec.topics),
        ConsumerSettings(
            in_flight_max=job.in_flight,
            weights={topic: LANE_WEIGHTS[lane] for topic, lane in spec.lanes.items()},
        ),
        StageHandler(spec=spec, ports=ports, telemetry=telemetry),
        producer,
        policy=RetryPolicy(),
        on_share=lambda _: None,
        gate=StageGate(gates=Gates(), stage=spec.stage, lanes=spec.lanes),
    )


async def main() -> None:
    """Run the four stages."""
    producer, telemetry = RecordProducer(job.brokers, "bench"), Telemetry(CollectorRegistry())
    await producer.start()
    for stage, run in EMPTY.items():
        spec = replace(PIPELINE[stage], run=cast("Any", run))
        await stage_consumer(spec, producer, telemetry).start()
    await asyncio.Event().wait()


asyncio.run(main())
