"""Spans by OpenTelemetry, sent by OTLP over HTTP. The extra `otel` installs what is imported here.

Names are those of the conventions for messaging and for generative AI; prompts and answers are never in them.
Source: https://opentelemetry.io/docs/specs/semconv/messaging/kafka/,
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from processors.gateway.catalogue import Catalogue
from processors.ports import ModelGateway
from schemas.headers import text_headers
from streams.engine.records import InRecord
from streams.otel_calls import SpannedGateway
from streams.otel_errors import mark
from streams.pipeline import StageSpec

SERVICE = "pressline"


class OtelTracing:
    """Spans of one worker.

    Args:
        worker_id: this process.
        processor: takes the spans that ended.
    """

    def __init__(self, worker_id: str, processor: SpanProcessor) -> None:
        ours = Resource({"service.name": SERVICE, "service.instance.id": worker_id})
        # What the environment says of the service counts more.
        resource = ours.merge(OTELResourceDetector().detect())
        self._worker_id = worker_id
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE, version(SERVICE))
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def to_endpoint(cls, worker_id: str) -> Self:
        """Return spans that are sent where OpenTelemetry's own variables say, in batches, by a thread."""
        return cls(worker_id, BatchSpanProcessor(OTLPSpanExporter()))

    @contextmanager
    def process(self, spec: StageSpec, record: InRecord) -> Iterator[str | None]:
        """Span one attempt of a stage at a record; its parent is the span that the record comes from."""
        headers = text_headers(record.headers)
        with self._tracer.start_as_current_span(
            f"process {record.topic}",
            context=self._propagator.extract(headers),
            kind=SpanKind.CONSUMER,
            attributes=self._attributes(spec, record, headers.get("ce_id")),
            record_exception=False,  # an exception's text is the dead letter's to tell
            set_status_on_exception=False,
        ) as span:
            try:
                yield self._traceparent()
            except BaseException as error:
                mark(span, error)
                raise

    def calls(self, gateway: ModelGateway, catalogue: Catalogue) -> ModelGateway:
        """Return a gateway whose calls are spanned."""
        return SpannedGateway(gateway, catalogue, self._tracer)

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    def _traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    def _attributes(
        self, spec: StageSpec, record: InRecord, message_id: str | None
    ) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue | None] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.kafka.message.key": record.key.decode(errors="replace") if record.key else None,
            "messaging.consumer.group.name": spec.group,
            "messaging.client.id": self._worker_id,
            "messaging.message.id": message_id,
            "messaging.message.body.size": len(record.value or b""),
            "pressline.task.id": record.subject,
        }
        return {name: value for name, value in found.items() if value is not None}
