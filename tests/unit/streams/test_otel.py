"""Spans follow the conventions, hang together, and hold no text of prompts, answers or errors."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from builders import a_classified
from fakes.model_gateway import FakeModelGateway, an_answer
from fakes.model_request import a_request
from processors.errors import ProviderTimeoutError, ScopeClosedError
from processors.gateway.catalogue import default
from processors.model import CallPhase, CallState, ModelAnswer, ModelRequest
from schemas.base import Stage
from schemas.failures import FailureReason
from schemas.scope import Scope, ScopeKind
from schemas.usage import CacheResult
from streams.engine.records import InRecord
from streams.envelope import Lineage, event_record
from streams.otel import OtelTracing
from streams.pipeline import PIPELINE

GENERATE = PIPELINE[Stage.GENERATE]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CATALOGUE = default().simulated_at("http://127.0.0.1:4711/v1")
PROMPT = "Write about Paris."


class Spans:
    """Tracing into memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracing = OtelTracing("worker-1", SimpleSpanProcessor(self._exporter))

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    async def ask(self, reply: Callable[[ModelRequest], ModelAnswer]) -> None:
        gateway = self.tracing.calls(FakeModelGateway(reply), CATALOGUE)
        await gateway.complete(a_request())


def a_record() -> InRecord:
    made = event_record(a_classified(), Lineage(source="urn:test", span=TRACE))
    return InRecord(
        topic=made.topic, partition=3, offset=7, key=made.key, value=made.value, headers=tuple(made.headers)
    )


def answers_now(request: ModelRequest) -> ModelAnswer:
    request.tell(CallState(CallPhase.QUOTA, "openai", request.model))
    request.tell(CallState(CallPhase.CALL, "openai", request.model))
    answer = an_answer(request, "Paris is old.")
    now = answer.recorded.model_copy(update={"recorded_at": datetime.now(UTC)})
    return replace(answer, recorded=now, response_model="gpt-5-nano-2025-08-07")


def answered_by_the_fallback(request: ModelRequest) -> ModelAnswer:
    request.tell(CallState(CallPhase.CALL, "openai", request.model))
    answer = answers_now(replace(request, model="gpt-5-mini"))
    fallen = {"fallback_from": request.model, "fallback_reason": FailureReason.PROVIDER_TIMEOUT}
    return replace(answer, recorded=answer.recorded.model_copy(update=fallen))


def from_the_journal(request: ModelRequest) -> ModelAnswer:
    request.tell(CallState(CallPhase.CALL, "openai", request.model))
    return an_answer(request, "Paris is old.")


def from_the_cache(request: ModelRequest) -> ModelAnswer:
    """The call before it failed, so that a stale answer stands in."""
    answer = answers_now(request)
    return replace(answer, recorded=answer.recorded.model_copy(update={"cache": CacheResult.STALE}))


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_record_is_spanned_under_the_span_that_it_comes_from_and_leads_on() -> None:
    spans = Spans()

    with spans.tracing.process(GENERATE, a_record()) as carried:
        pass

    [span] = spans.ended
    assert span.parent is not None
    assert (span.name, f"{span.parent.span_id:016x}") == (f"process {a_record().topic}", TRACE.split("-")[2])
    assert carried == f"00-{TRACE.split('-')[1]}-{span.context.span_id:016x}-01"
    assert told(span) | {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "pressline.task.classified.bulk.v1",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 7,
        "messaging.consumer.group.name": "pressline-generate",
        "messaging.client.id": "worker-1",
    } == told(span)
    assert span.resource.attributes["service.name"] == "pressline"


def test_a_failure_tells_its_reason_and_not_its_text() -> None:
    spans = Spans()

    with pytest.raises(ProviderTimeoutError), spans.tracing.process(GENERATE, a_record()):
        raise ProviderTimeoutError(PROMPT)

    [span] = spans.ended
    assert (told(span)["error.type"], span.status.description) == ("provider_timeout", "provider_timeout")
    assert PROMPT not in span.to_json()


async def test_a_call_is_a_child_of_its_record_with_tokens_model_and_address() -> None:
    spans = Spans()

    with spans.tracing.process(GENERATE, a_record()):
        await spans.ask(answers_now)

    call, record = spans.ended
    assert call.parent is not None
    assert (call.name, call.parent.span_id) == ("chat gpt-5-nano", record.context.span_id)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5-nano",
        "gen_ai.response.model": "gpt-5-nano-2025-08-07",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 400,
        "gen_ai.usage.output_tokens": 300,
        "server.address": "127.0.0.1",
        "server.port": 4711,
    }
    assert told(call) | expected == told(call)
    assert "gen_ai.provider.name" in told(call)
    assert PROMPT not in call.to_json()
    assert "Paris is old." not in call.to_json()


async def test_an_answer_that_the_journal_had_is_no_call() -> None:
    spans = Spans()

    await spans.ask(lambda request: an_answer(request, "Paris is old."))
    await spans.ask(from_the_journal)
    await spans.ask(from_the_cache)

    assert spans.ended == []


async def test_a_call_that_fails_is_spanned_and_one_that_was_held_back_is_not() -> None:
    spans = Spans()

    def fails(error: Exception) -> Callable[[ModelRequest], ModelAnswer]:
        def reply(request: ModelRequest) -> ModelAnswer:
            request.tell(CallState(CallPhase.CALL, "openai", request.model))
            raise error

        return reply

    with pytest.raises(ProviderTimeoutError):
        await spans.ask(fails(ProviderTimeoutError(PROMPT)))
    with pytest.raises(ScopeClosedError):
        await spans.ask(fails(ScopeClosedError(Scope(ScopeKind.PROVIDER, "openai"), "paused")))

    [call] = spans.ended
    assert told(call)["error.type"] == "provider_timeout"
    assert PROMPT not in call.to_json()


async def test_a_fallbacks_span_is_of_the_model_that_was_called_and_says_why() -> None:
    spans = Spans()

    await spans.ask(answered_by_the_fallback)

    [call] = spans.ended
    assert call.name == "chat gpt-5-mini"
    assert told(call)["gen_ai.request.model"] == "gpt-5-mini"
    assert told(call)["pressline.fallback.from"] == "gpt-5-nano"
    assert told(call)["pressline.fallback.reason"] == "provider_timeout"
