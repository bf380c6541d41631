"""What a stream that does not end well is booked at, in each format."""

from typing import Any

import orjson
import pytest

from fakes.gateway_rig import GatewayRig, a_catalogue
from fakes.model_request import a_request
from fakes.transport import ScriptedTransport
from processors.errors import (
    ProcessingError,
    ProviderMalformedError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    TransientError,
)
from processors.gateway.wire import WireAnswer
from schemas.catalogue import Format

CHAT, RESPONSES, ANTHROPIC, GEMINI = (
    Format.OPENAI_CHAT,
    Format.OPENAI_RESPONSES,
    Format.ANTHROPIC_MESSAGES,
    Format.GEMINI,
)
BEGUN: dict[Format, list[Any]] = {
    CHAT: [
        {"choices": [{"delta": {"role": "assistant"}}]},
        {"choices": [{"delta": {"content": "Paris is"}}]},
    ],
    RESPONSES: [
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "Paris is"},
    ],
    ANTHROPIC: [
        {"type": "message_start", "message": {"usage": {"input_tokens": 40, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris is"}},
    ],
    GEMINI: [
        {"candidates": [{"content": {"parts": [{"text": "Paris"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": " is"}]}}]},
    ],
}
FAILED = {"type": "response.failed", "response": {"error": {"code": "server_error"}, "status": "failed"}}
ERRORS: list[tuple[Format, Any, type[ProcessingError]]] = [
    (CHAT, {"error": {"type": "server_error", "code": None}}, ProviderUnavailableError),
    (CHAT, {"error": {"type": "requests", "code": "rate_limit_exceeded"}}, ProviderRateLimitedError),
    (CHAT, {"error": {"type": "insufficient_quota"}}, ProviderQuotaError),
    (RESPONSES, FAILED, ProviderUnavailableError),
    (RESPONSES, {"type": "error", "code": "rate_limit_exceeded"}, ProviderRateLimitedError),
    (ANTHROPIC, {"type": "error", "error": {"type": "overloaded_error"}}, ProviderUnavailableError),
    (ANTHROPIC, {"type": "error", "error": {"type": "api_error"}}, ProviderUnavailableError),
    (ANTHROPIC, {"type": "error", "error": {"type": "timeout_error"}}, ProviderUnavailableError),
    (ANTHROPIC, {"type": "error", "error": {"type": "rate_limit_error"}}, ProviderRateLimitedError),
    (ANTHROPIC, {"type": "error", "error": {"type": "request_too_large"}}, ProviderRejectedError),
    (GEMINI, {"error": {"code": 503, "status": "UNAVAILABLE"}}, ProviderUnavailableError),
    (GEMINI, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, ProviderRateLimitedError),
]
TRANSIENT = {"overloaded_error", "api_error", "timeout_error", "rate_limit_error"}


def a_stream(*events: Any) -> WireAnswer:
    return WireAnswer(
        status=200, headers={}, body=b"".join(b"data: %s\n\n" % orjson.dumps(each) for each in events)
    )


def a_rig(spoken: Format, *events: Any) -> GatewayRig:
    return GatewayRig(a_catalogue(spoken, stream=True), ScriptedTransport(a_stream(*events)))


@pytest.mark.parametrize(("spoken", "event", "raised"), ERRORS)
async def test_an_error_after_the_first_words_has_its_class_and_is_never_free(
    spoken: Format, event: Any, raised: type[ProcessingError]
) -> None:
    rig = a_rig(spoken, *BEGUN[spoken], event)

    with pytest.raises(raised) as caught:
        await rig.gateway.complete(a_request())

    (row,) = rig.attempts
    assert type(caught.value) is raised
    assert (row.state, row.cost_usd) == ("unknown", row.intent.cost_max_usd)
    assert "output tokens had been used" in (row.error or "")


@pytest.mark.parametrize(("spoken", "event", "raised"), ERRORS)
async def test_an_error_that_comes_alone_is_what_its_status_would_have_been(
    spoken: Format, event: Any, raised: type[ProcessingError]
) -> None:
    rig = a_rig(spoken, event)

    with pytest.raises(raised) as caught:
        await rig.gateway.complete(a_request())

    assert rig.attempts[0].state == ("unknown" if "504" in str(caught.value) else "failed")


@pytest.mark.parametrize("kind", sorted(TRANSIENT))
async def test_anthropics_own_troubles_are_worth_another_try(kind: str) -> None:
    rig = a_rig(ANTHROPIC, *BEGUN[ANTHROPIC], {"type": "error", "error": {"type": kind}})

    with pytest.raises(TransientError):
        await rig.gateway.complete(a_request())


@pytest.mark.parametrize("spoken", BEGUN)
@pytest.mark.parametrize(
    "broken",
    [
        ProviderUnavailableError("the line broke"),
        ProviderTimeoutError("too late"),
        ProviderMalformedError("cut"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_line_that_breaks_leaves_the_worst_case_booked(spoken: Format, broken: Exception) -> None:
    transport = ScriptedTransport(a_stream(*BEGUN[spoken], *BEGUN[spoken]))
    transport.broken = broken
    rig = GatewayRig(a_catalogue(spoken, stream=True), transport)

    with pytest.raises(type(broken)):
        await rig.gateway.complete(a_request())

    (row,) = rig.attempts
    assert (row.state, row.cost_usd) == ("unknown", row.intent.cost_max_usd)
    assert "output tokens had been used" in (row.error or "")
