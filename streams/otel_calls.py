"""The model gateway with a span around each call."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.util.types import AttributeValue

from processors.errors import ScopeClosedError
from processors.gateway.catalogue import Catalogue
from processors.model import CallPhase, CallState, ModelAnswer, ModelRequest
from processors.ports import ModelGateway
from streams.otel_errors import mark

Attributes = dict[str, AttributeValue | None]
NS = 1_000_000_000


class SpannedGateway:
    """Messaging Gateway that tells of each call to a provider, and of no answer that the journal had.

    Args:
        inner: the gateway that calls.
        catalogue: who answers.
        tracer: makes the spans.
    """

    def __init__(self, inner: ModelGateway, catalogue: Catalogue, tracer: Tracer) -> None:
        self._inner = inner
        self._catalogue = catalogue
        self._tracer = tracer

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the model's answer, as the gateway does."""
        turn = _Turn(request)
        try:
            answer = await self._inner.complete(replace(request, tell=turn.tell))
        except ScopeClosedError:
            raise  # it was held back: there was no call
        except BaseException as error:
            if turn.came_ns is not None:
                self._span(replace(request, model=turn.model), turn.came_ns, {}, error)
            raise
        bought_ns = answer.recorded.recorded_at.timestamp() * NS
        if turn.came_ns is not None and bought_ns >= turn.came_ns and not answer.recorded.cached:
            asked = replace(request, model=answer.recorded.model)
            self._span(asked, turn.came_ns, _answered(answer))
        return answer

    def _span(
        self, request: ModelRequest, start_ns: int, answered: Attributes, error: BaseException | None = None
    ) -> None:
        """Make the span once all is known: one that was begun cannot be taken back."""
        found = {**_asked(request), **self._server(request), **answered}
        span = self._tracer.start_span(
            f"chat {request.model}",
            kind=SpanKind.CLIENT,
            attributes={name: value for name, value in found.items() if value is not None},
            start_time=start_ns,
        )
        if error is not None:
            mark(span, error)
        span.end()

    def _server(self, request: ModelRequest) -> Attributes:
        provider = self._catalogue.provider_of(self._catalogue.model(request.model))
        address = urlsplit(provider.base_url or "")
        return {
            "gen_ai.provider.name": provider.name,
            "gen_ai.request.stream": provider.stream,
            "server.address": address.hostname,
            "server.port": address.port,
            "pressline.simulated": provider.simulated,
        }


class _Turn:
    """Notes when a call's turn has come."""

    def __init__(self, request: ModelRequest) -> None:
        self._tell = request.tell
        self.came_ns: int | None = None
        self.model = request.model

    def tell(self, state: CallState | None) -> None:
        if state is not None and state.phase is CallPhase.CALL:
            self.came_ns = time.time_ns()
            self.model = state.model
        self._tell(state)


def _asked(request: ModelRequest) -> Attributes:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": request.model,
        "gen_ai.request.max_tokens": request.output_tokens_max,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.seed": request.seed,
        "gen_ai.output.type": "text" if request.schema is None else "json",
        "pressline.step": request.step,
    }


def _answered(answer: ModelAnswer) -> Attributes:
    """Input tokens are those of every class, as the convention wants them."""
    recorded, usage = answer.recorded, answer.recorded.usage
    return {
        "gen_ai.response.model": answer.response_model,
        "gen_ai.response.finish_reasons": [answer.finish_reason],
        "gen_ai.response.time_to_first_chunk": recorded.first_token_s,
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.input_cache_read,
        "gen_ai.usage.cache_creation.input_tokens": usage.input_cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        "pressline.cost_usd": float(recorded.cost_usd),
        "pressline.fallback.from": recorded.fallback_from,
        "pressline.fallback.reason": recorded.fallback_reason,
        "pressline.hedge": recorded.hedge,
    }
