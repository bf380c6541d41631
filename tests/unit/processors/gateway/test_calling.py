from collections.abc import Mapping

import orjson
import pytest

from builders import NOW
from fakes.transport import ScriptedTransport, a_completion, a_problem
from processors.errors import (
    ProviderMalformedError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from processors.gateway.calling import Heard, OnHeaders, call
from processors.gateway.formats import FORMATS
from processors.gateway.speech import Speech
from processors.gateway.wire import StopReason, WireAnswer, WireRequest
from schemas.catalogue import Format

REQUEST = WireRequest(path="/x", headers={}, body=b"{}")
STARTED = {
    "type": "message_start",
    "message": {"id": "m", "usage": {"input_tokens": 40, "cache_read_input_tokens": 2, "output_tokens": 1}},
}
SAID = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris is"}}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
STOPPED = {"type": "message_stop"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "quotes the prompt"}}


def a_stream(*events: object, after: bytes = b"") -> WireAnswer:
    body = b": keep-alive\r\n\r\n" + b"".join(b"data: %s\r\n\r\n" % orjson.dumps(each) for each in events)
    return WireAnswer(status=200, headers={}, body=body + after)


def speech(spoken: Format, *, stream: bool) -> Speech:
    return Speech(provider="p", spoken=FORMATS[spoken], stream=stream)


def ignore(_headers: Mapping[str, str]) -> None:
    pass


async def streamed(transport: ScriptedTransport, on_headers: OnHeaders = ignore) -> Heard:
    return await call(speech(Format.ANTHROPIC_MESSAGES, stream=True), transport, REQUEST, NOW, 99, on_headers)


@pytest.mark.parametrize("stream", [True, False])
async def test_headers_are_told_of_even_where_the_answer_is_an_error(*, stream: bool) -> None:
    told: list[Mapping[str, str]] = []
    refused = WireAnswer(status=429, headers={"retry-after": "3"}, body=b"{}")
    spoken = speech(Format.OPENAI_CHAT, stream=stream)

    with pytest.raises(ProviderRateLimitedError):
        await call(spoken, ScriptedTransport(refused), REQUEST, NOW, 99, told.append)

    assert told == [{"retry-after": "3"}]


async def test_a_stream_is_put_together_and_tells_its_first_word() -> None:
    heard = await streamed(ScriptedTransport(a_stream(STARTED, SAID, SAID, ENDED, STOPPED)))

    assert heard.parsed.text == "Paris isParis is"
    assert heard.parsed.stop_reason is StopReason.STOP
    assert heard.parsed.count is not None
    assert (heard.parsed.count.input, heard.parsed.count.usage.output) == (42, 3)
    assert heard.first_token_s is not None
    assert 0 <= heard.first_token_s <= heard.latency_s


async def test_an_answer_that_is_no_stream_has_no_first_word() -> None:
    transport = ScriptedTransport(a_completion())

    heard = await call(speech(Format.OPENAI_CHAT, stream=False), transport, REQUEST, NOW, 99, ignore)

    assert heard.first_token_s is None


async def test_a_stream_that_breaks_says_what_had_come() -> None:
    transport = ScriptedTransport(a_stream(STARTED, SAID, SAID, SAID, SAID, ENDED, STOPPED))
    transport.broken = ProviderUnavailableError("the line broke")

    with pytest.raises(ProviderUnavailableError) as raised:
        await streamed(transport)

    assert raised.value.billed
    assert raised.value.__notes__ == ["about 42 input and 2 output tokens had been used"]


async def test_a_stream_that_ends_early_is_no_answer() -> None:
    with pytest.raises(ProviderUnavailableError, match="before the answer's end"):
        await streamed(ScriptedTransport(a_stream(STARTED, SAID)))


async def test_a_stream_before_its_first_word_has_no_note() -> None:
    with pytest.raises(ProviderUnavailableError) as raised:
        await streamed(ScriptedTransport(a_stream(STARTED)))

    assert not hasattr(raised.value, "__notes__")


async def test_an_error_within_a_stream_has_its_meaning_and_is_not_quoted() -> None:
    with pytest.raises(ProviderUnavailableError, match=r"529 .overloaded_error") as raised:
        await streamed(ScriptedTransport(a_stream(STARTED, SAID, OVERLOADED)))

    assert "prompt" not in str(raised.value)


async def test_a_stream_of_something_else_is_malformed() -> None:
    with pytest.raises(ProviderMalformedError, match="no JSON object"):
        await streamed(ScriptedTransport(a_stream(after=b"data: <html>\n\n")))


async def test_a_status_stands_above_the_stream() -> None:
    with pytest.raises(ProviderRateLimitedError):
        await streamed(ScriptedTransport(a_problem(429)))


async def test_gemini_tells_the_wait_in_the_body() -> None:
    body = b'[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "3.5s"}]}}]'
    transport = ScriptedTransport(WireAnswer(status=429, headers={}, body=body))

    with pytest.raises(ProviderRateLimitedError, match="RESOURCE_EXHAUSTED") as raised:
        await call(speech(Format.GEMINI, stream=False), transport, REQUEST, NOW, 99, ignore)

    assert raised.value.retry_after_s == 3.5


@pytest.mark.parametrize(
    ("spoken", "body"),
    [
        (Format.GEMINI, {"promptFeedback": {"blockReason": "SAFETY"}}),
        (Format.GEMINI, {"candidates": [{"finishReason": "PROHIBITED_CONTENT"}]}),
        (Format.ANTHROPIC_MESSAGES, {"content": [], "stop_reason": "refusal"}),
        (
            Format.OPENAI_RESPONSES,
            {"output": [], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
        ),
    ],
)
async def test_a_safety_block_is_an_outcome(spoken: Format, body: object) -> None:
    transport = ScriptedTransport(WireAnswer(status=200, headers={}, body=orjson.dumps(body)))

    with pytest.raises(ProviderRefusedError):
        await call(speech(spoken, stream=False), transport, REQUEST, NOW, 99, ignore)


async def test_an_upstreams_error_in_a_whole_answer_has_its_meaning() -> None:
    body = b'{"error": {"code": 429, "message": "quotes the prompt"}}'
    transport = ScriptedTransport(WireAnswer(status=200, headers={}, body=body))

    with pytest.raises(ProviderRateLimitedError):
        await call(speech(Format.OPENAI_CHAT, stream=False), transport, REQUEST, NOW, 99, ignore)
