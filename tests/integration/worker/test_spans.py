"""A worker sends the spans of a task to a collector, by OTLP over HTTP."""

from collections.abc import AsyncIterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fakes.otlp_receiver import OtlpReceiver
from fixtures.broker import until
from fixtures.worker import Deployment, terminate
from schemas.events import TaskFinished
from streams.embedded import ports
from streams.settings import OTLP_ENDPOINT

pytestmark = pytest.mark.integration

STAGES = ("submitted", "classified", "generated", "validated")
STOP_S_MAX = 60.0


@pytest.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    monkeypatch.setenv(OTLP_ENDPOINT, await receiver.start(ports.choose()))
    yield receiver
    await receiver.close()


def attributes(span: Span) -> dict[str, object]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in span.attributes
    }


async def test_a_task_is_one_trace_from_stage_to_stage_with_its_call(
    deployment: Deployment, receiver: OtlpReceiver
) -> None:
    await deployment.start_provider()
    worker, _ = await deployment.start_worker()

    [task] = await deployment.submit(1)
    await until(lambda: deployment.has_finished(1))
    await terminate(worker, within_s=STOP_S_MAX)

    [finished] = await deployment.events(TaskFinished)
    stages = [receiver.named(f"process pressline.task.{noun}.bulk.v1")[0] for noun in STAGES]
    [call] = receiver.named("chat")
    told = attributes(call)
    assert len({span.trace_id for span in (*stages, call)}) == 1
    assert [span.parent_span_id for span in stages[1:]] == [span.span_id for span in stages[:-1]]
    assert call.parent_span_id == stages[1].span_id
    assert attributes(stages[0])["messaging.kafka.message.key"] == task.task_id
    assert told["gen_ai.usage.output_tokens"] == finished.spend.usage.output
    assert told["pressline.simulated"] is True
    assert all(str(task.inputs["to_city"]) not in str(span) for span in receiver.spans)
