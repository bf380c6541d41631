from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fakes.model_request import a_request
from fakes.transport import a_completion, a_problem
from processors.errors import (
    ProcessingError,
    ProviderGaveUpError,
    ProviderMalformedError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderRejectedError,
    ProviderUnauthorizedError,
    ProviderUnavailableError,
)
from processors.gateway.counts import believable, of_text
from processors.gateway.formats.openai_chat import OpenAIChat
from processors.gateway.reading import read_answer, require_answered
from processors.gateway.wire import ParsedAnswer, StopReason, WireAnswer
from schemas.usage import Usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


FORMAT = OpenAIChat()


def parse(answer: WireAnswer) -> ParsedAnswer:
    parsed = read_answer("p", FORMAT, answer, NOW)
    require_answered("p", parsed)
    return parsed


def normal_usage(found: object) -> Usage | None:
    count = believable(FORMAT.parse_usage(found), 100_000, 1_000)
    return None if count is None else count.usage


def test_the_request_asks_for_the_schema_strictly_and_bounds_the_output() -> None:
    wire = FORMAT.build_request(a_request())

    body = orjson.loads(wire.body)
    assert wire.path == "/chat/completions"
    assert body["response_format"]["json_schema"] == {
        "name": "page",
        "schema": {"type": "object"},
        "strict": True,
    }
    assert body["max_completion_tokens"] == 1_000
    assert body["messages"] == [{"role": "user", "content": "Write about Paris."}]
    assert "temperature" not in body


def test_a_temperature_is_sent_only_when_given() -> None:
    assert orjson.loads(FORMAT.build_request(a_request(temperature=0.0)).body)["temperature"] == 0.0


def test_a_completion_is_read() -> None:
    parsed = parse(a_completion("hello"))

    assert parsed == ParsedAnswer(
        text="hello",
        stop_reason=StopReason.STOP,
        count=parsed.count,
        response_model="gpt-5-nano-2025-08-07",
    )
    assert parsed.count is not None
    assert parsed.count.usage == of_text(400, 300).usage


def a_piece(index: int, identity: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": identity, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        (
            [a_piece(0, "c1", "look", '{"n": 1}'), a_piece(0, "c2", "look", '{"n": 2}')],
            [("c1", "look", '{"n": 1}'), ("c2", "look", '{"n": 2}')],
        ),
        (
            [
                a_piece(0, "c1", "look", "{}"),
                a_piece(0, "c2", "hear", '{"n"'),
                a_piece(0, None, None, ": 2"),
                a_piece(0, "", None, "}"),
            ],
            [("c1", "look", "{}"), ("c2", "hear", '{"n": 2}')],
        ),
        (
            [a_piece(1, "c3", "feel", "{}"), a_piece(0, "c1", "look", "{}"), a_piece(0, "c2", "hear", "{}")],
            [("c1", "look", "{}"), ("c2", "hear", "{}"), ("c3", "feel", "{}")],
        ),
        ([a_piece(0, "c1", "look", "{"), a_piece(0, "c1", "look", "}")], [("c1", "look", "{}")]),
        ([a_piece(0, "c1", "look", "{"), a_piece(0, "c2", None, "}")], [("c1", "look", "{}")]),
        ([a_piece(0, None, "look", "{"), a_piece(0, "c1", "look", "}")], [("c1", "look", "{}")]),
    ],
)
def test_another_id_with_a_name_begins_another_call_of_the_same_index(
    pieces: list[dict[str, Any]], calls: list[tuple[str, str, str]]
) -> None:
    assembler = FORMAT.new_assembler()

    for piece in pieces:
        assembler.add({"choices": [{"delta": {"tool_calls": [piece]}}]})
    assembler.add({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})

    found = FORMAT.parse_answer(assembler.body()).tool_calls
    assert [(call.id, call.name, call.arguments) for call in found] == calls


def test_an_answer_that_was_cut_before_its_first_word_is_empty() -> None:
    assert parse(a_completion(None, finish_reason="length")).text == ""


def test_cached_audio_and_reasoning_tokens_are_counted_once() -> None:
    found = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 40},
    }

    usage = normal_usage(found)

    assert usage == Usage(
        input_fresh=25, input_cache_read=60, input_cache_write=10, input_other=5, output=50, reasoning=40
    )
    assert usage.input == 100


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"prompt_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 0, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": -1},
        {"prompt_tokens": 1, "completion_tokens": 2_001},
        {"prompt_tokens": 10**12, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": "1"}},
        {"prompt_tokens": 1, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
    ],
)
def test_a_usage_that_cannot_be_true_is_none(found: Any) -> None:
    assert normal_usage(found) is None


@pytest.mark.parametrize(
    "answer",
    [
        a_completion("x", refusal="no"),
        a_completion(None, refusal="no"),
        a_completion("", finish_reason="content_filter"),
    ],
)
def test_a_refusal_is_an_outcome(answer: WireAnswer) -> None:
    with pytest.raises(ProviderRefusedError):
        parse(answer)


@pytest.mark.parametrize(
    "answer",
    [
        WireAnswer(status=200, headers={}, body=b"<html>"),
        WireAnswer(status=200, headers={}, body=b"[]"),
        WireAnswer(status=200, headers={}, body=b""),
        a_completion(choices=[]),
        a_completion(choices=[{"message": None}]),
        a_completion(None),
        a_completion(choices=[{"message": {"content": "x"}, "finish_reason": 7}]),
    ],
)
def test_anything_but_a_completion_is_malformed(answer: WireAnswer) -> None:
    with pytest.raises(ProviderMalformedError):
        parse(answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (a_problem(429), ProviderRateLimitedError),
        (a_problem(429, code="insufficient_quota"), ProviderQuotaError),
        (a_problem(402), ProviderQuotaError),
        (a_problem(429, x_should_retry="false"), ProviderGaveUpError),
        *((a_problem(status), ProviderUnavailableError) for status in (408, 409, 500, 502, 503, 504, 529)),
        *((a_problem(status), ProviderRejectedError) for status in (301, 400, 404, 413, 422)),
        *((a_problem(status), ProviderUnauthorizedError) for status in (401, 403)),
        (a_problem(400, x_should_retry="true"), ProviderUnavailableError),
        (a_problem(500, x_should_retry="false"), ProviderGaveUpError),
        (WireAnswer(status=503, headers={}, body=b"<html>"), ProviderUnavailableError),
        (WireAnswer(status=500, headers={}, body=b'{"error": "text"}'), ProviderUnavailableError),
    ],
)
def test_a_status_has_one_meaning(answer: WireAnswer, expected: type[ProcessingError]) -> None:
    with pytest.raises(ProcessingError) as raised:
        parse(answer)

    assert type(raised.value) is expected
    assert "prompt" not in str(raised.value)


KEY_INVALID = {
    "code": 400,
    "message": "API key not valid. It quotes the prompt.",
    "status": "INVALID_ARGUMENT",
    "details": [
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "message": "quotes the prompt"},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
    ],
}
NO_CREDIT = {
    "type": "invalid_request_error",
    "message": "Your credit balance is too low to access the Anthropic API. It quotes the prompt.",
}
PROMPT_OF_CREDIT = NO_CREDIT | {"message": "messages.0: 'Your credit balance is too low', says the prompt"}
MINIMAX = {"http_code": "429", "type": "insufficient_balance_error", "message": "insufficient balance (1008)"}


@pytest.mark.parametrize(
    ("status", "told", "expected", "shown"),
    [
        (400, KEY_INVALID, ProviderUnauthorizedError, "(INVALID_ARGUMENT, API_KEY_INVALID)"),
        (200, KEY_INVALID, ProviderUnauthorizedError, "(INVALID_ARGUMENT, API_KEY_INVALID)"),
        (400, KEY_INVALID | {"details": [{"reason": 5}]}, ProviderRejectedError, "(INVALID_ARGUMENT)"),
        (400, NO_CREDIT, ProviderQuotaError, "(invalid_request_error, credit_balance_too_low)"),
        (200, NO_CREDIT, ProviderQuotaError, "(invalid_request_error, credit_balance_too_low)"),
        (400, PROMPT_OF_CREDIT, ProviderRejectedError, "(invalid_request_error)"),
        (429, MINIMAX, ProviderQuotaError, "(insufficient_balance_error)"),
    ],
)
def test_a_wrong_key_and_an_empty_account_are_told_from_a_bad_request(
    status: int, told: dict[str, Any], expected: type[ProcessingError], shown: str
) -> None:
    with pytest.raises(ProcessingError) as raised:
        parse(WireAnswer(status=status, headers={}, body=orjson.dumps({"error": told})))

    assert type(raised.value) is expected
    assert shown in str(raised.value)
    assert "prompt" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "billed"), [(500, False), (503, False), (502, True), (504, True), (408, True)]
)
def test_only_a_gateway_that_gave_up_may_have_been_billed(status: int, *, billed: bool) -> None:
    with pytest.raises(ProviderUnavailableError) as raised:
        parse(a_problem(status))

    assert raised.value.billed is billed


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after_ms": "soon", "retry_after": "2"}, 2.0),
        ({"retry_after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry_after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry_after": "Thu, 01 Jan 2026 12:00:30 -0000"}, 30.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "inf"}, 604_800.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "tomorrow"}, None),
    ],
)
def test_the_wait_that_is_asked_for_is_read_and_bounded(
    headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(ProviderRateLimitedError) as raised:
        parse(a_problem(429, **headers))

    assert raised.value.retry_after_s == seconds
