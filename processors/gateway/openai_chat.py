"""OpenAI's chat completions, as OpenAI and every compatible server speak them.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import orjson

from processors.errors import ProviderMalformedError, ProviderRefusedError
from processors.gateway.http_errors import http_error
from processors.gateway.wire import ParsedAnswer, WireAnswer, WireRequest
from processors.ports import ModelRequest
from schemas.usage import Usage

PATH = "/chat/completions"
OK = 200
USAGE_FACTOR_MAX = 2
"""Servers count some framing beyond the asked maximum; twice as much output is not a count to believe."""

INPUT_TOKENS_MAX = 100_000_000
NAME_CHARS_MAX = 200


def build_request(request: ModelRequest) -> WireRequest:
    """Return the request as it goes out; headers that name the call are the caller's to add."""
    content: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "max_completion_tokens": request.output_tokens_max,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": request.schema_name, "schema": dict(request.schema), "strict": True},
        },
    }
    if request.temperature is not None:
        content["temperature"] = request.temperature
    return WireRequest(path=PATH, headers={"content-type": "application/json"}, body=orjson.dumps(content))


def parse_answer(provider: str, answer: WireAnswer, output_tokens_max: int, now: datetime) -> ParsedAnswer:
    """Return what the model said.

    Args:
        provider: name in the catalogue, for error texts.
        answer: as it came in.
        output_tokens_max: what was asked for; a usage far beyond it is not believed.
        now: present time (aware).

    Raises:
        ProviderRefusedError: a refusal or content filter.
        ProviderMalformedError: 200, but not a chat completion.
        TransientError, PermanentError: what `http_error` makes of another status.
    """
    content = _json_object(answer.body)
    if answer.status != OK:
        raise http_error(provider, answer, _codes(content), now)
    if content is None:
        raise ProviderMalformedError(f"{provider} answered 200 without a JSON object, expected one")
    choice = _choice(provider, content)
    finish_reason = _finish_reason(provider, choice)
    return ParsedAnswer(
        text=_text(provider, choice, finish_reason),
        finish_reason=finish_reason,
        usage=normal_usage(content.get("usage"), output_tokens_max),
        response_model=_name(content.get("model")),
        response_id=_name(content.get("id")),
    )


def normal_usage(found: object, output_tokens_max: int) -> Usage | None:
    """Return the usage in normal form, or None when it is missing or cannot be true.

    OpenAI counts cached, cache-written and audio tokens inside `prompt_tokens`, and reasoning inside
    `completion_tokens`. Source:
    https://github.com/openai/openai-python/blob/main/src/openai/types/completion_usage.py
    """
    if not isinstance(found, dict):
        return None
    prompt, output = found.get("prompt_tokens"), found.get("completion_tokens")
    inside, within = found.get("prompt_tokens_details"), found.get("completion_tokens_details")
    read, write = _count(inside, "cached_tokens"), _count(inside, "cache_write_tokens")
    audio, reasoning = _count(inside, "audio_tokens"), _count(within, "reasoning_tokens")
    if not isinstance(prompt, int) or not isinstance(output, int):
        return None
    if not 0 < prompt <= INPUT_TOKENS_MAX or not 0 <= output <= USAGE_FACTOR_MAX * output_tokens_max:
        return None
    fresh = prompt - read - write - audio
    if min(fresh, read, write, audio, reasoning, output - reasoning) < 0:
        return None
    return Usage(
        input_fresh=fresh,
        input_cache_read=read,
        input_cache_write=write,
        input_other=audio,
        output=output,
        reasoning=reasoning,
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _codes(content: Mapping[str, Any] | None) -> tuple[str | None, ...]:
    error = (content or {}).get("error")
    if not isinstance(error, dict):
        return ()
    return tuple(code for key in ("type", "code") if isinstance(code := error.get(key), str))


def _choice(provider: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = content.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        raise ProviderMalformedError(f"{provider} answered 200 without a choice with a message, expected one")
    return first


def _finish_reason(provider: str, choice: Mapping[str, Any]) -> Literal["stop", "length"]:
    reason = choice.get("finish_reason")
    if choice["message"].get("refusal") or reason == "content_filter":
        raise ProviderRefusedError(f"{provider} answered with a refusal, expected content; change the inputs")
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    shown = f"of type {type(reason).__name__}" if not isinstance(reason, str) else repr(reason[:50])
    raise ProviderMalformedError(f"{provider}: finish_reason is {shown}, expected stop or length")


def _text(provider: str, choice: Mapping[str, Any], finish_reason: str) -> str:
    text = choice["message"].get("content")
    # A reasoning model that used up its tokens on thought has nothing to say: that is a cut answer.
    if text is None and finish_reason == "length":
        return ""
    if not isinstance(text, str):
        raise ProviderMalformedError(f"{provider}: content is {type(text).__name__}, expected a text")
    return text


def _count(details: object, key: str) -> int:
    """A count inside optional details; 0 when absent, -1 (which is refused) when not a whole number."""
    value = details.get(key) if isinstance(details, dict) else None
    if value is None:
        return 0
    return value if isinstance(value, int) else -1


def _name(value: object) -> str | None:
    return value[:NAME_CHARS_MAX] if isinstance(value, str) else None
