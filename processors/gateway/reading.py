"""From an answer of any status to what the model said, or to the error that it is."""

from dataclasses import replace
from datetime import datetime

from processors.errors import ProcessingError, ProviderMalformedError, ProviderRefusedError
from processors.gateway.formats.fields import Json, json_object, object_at, objects_at, text_at
from processors.gateway.http_errors import http_error
from processors.gateway.wire import (
    NotAnAnswerError,
    ParsedAnswer,
    StopReason,
    WireAnswer,
    WireFormat,
)

OK = 200
SERVER_ERROR = 500
ERROR_STATUS = range(400, 600)
STATUS_OF_TYPE = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "timeout_error": 504,
    "request_too_large": 413,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
}
"""What an error within a stream, whose status was 200, would have had as its own.
Source: https://docs.anthropic.com/en/api/errors"""
NO_CREDIT = "Your credit balance is too low"
"""How Anthropic's message begins where the account is empty; its type is that of any bad request.
Source: https://github.com/anthropics/claude-code/issues/4208"""


def read_answer(provider: str, spoken: WireFormat, answer: WireAnswer, now: datetime) -> ParsedAnswer:
    """Return what the model said.

    Args:
        provider: name in the catalogue, for error texts.
        spoken: the format that the provider speaks.
        answer: as it came in.
        now: present time (aware).

    Raises:
        ProviderMalformedError: 200, but not an answer of the format.
        TransientError, PermanentError: what `http_error` makes of another status, or of an error that
            stands in a body of status 200.
    """
    return parsed_body(provider, spoken, read_object(provider, answer, now), now)


def read_object(provider: str, answer: WireAnswer, now: datetime) -> Json:
    """Return the object that an answer of status 200 is, whatever it says; see `read_answer` for the rest."""
    content = json_object(answer.body)
    if answer.status != OK:
        told = content or _first(answer.body) or {}
        raise http_error(provider, _with_delay(answer, told), _codes(told), now)
    if content is None:
        raise ProviderMalformedError(f"{provider} answered 200 without a JSON object, expected one")
    return content


def parsed_body(provider: str, spoken: WireFormat, content: Json, now: datetime) -> ParsedAnswer:
    """Return what the model said in the body of an answer of status 200; see `read_answer`."""
    if content.get("error"):
        raise _told_error(provider, content, now)
    try:
        return spoken.parse_answer(content)
    except NotAnAnswerError as error:
        raise ProviderMalformedError(f"{provider} answered 200, but {error}") from error


def require_answered(provider: str, parsed: ParsedAnswer) -> None:
    """Let through what can be used.

    Raises:
        ProviderRefusedError: the model refused, or a safety system blocked prompt or answer.
        ProviderMalformedError: the provider paused within tools of its own, none of which was offered.
    """
    if parsed.stop_reason is StopReason.REFUSAL:
        raise ProviderRefusedError(f"{provider} answered with a refusal, expected content; change the inputs")
    if parsed.stop_reason is StopReason.PAUSED:
        raise ProviderMalformedError(f"{provider} paused its turn, expected a whole answer")


def _told_error(provider: str, content: Json, now: datetime) -> ProcessingError:
    """OpenRouter tells an upstream's error with status 200, streams tell every error so."""
    codes = _codes(content)
    error = content["error"]
    status = error.get("code") if isinstance(error, dict) else None
    if not isinstance(status, int) or status not in ERROR_STATUS:
        known = (STATUS_OF_TYPE[code] for code in codes if code in STATUS_OF_TYPE)
        status = next(known, SERVER_ERROR)
    return http_error(provider, WireAnswer(status=status, headers={}, body=b""), codes, now)


def _first(body: bytes) -> Json | None:
    """Gemini may wrap its error in a list of one."""
    return json_object(body.strip()[1:-1]) if body.lstrip().startswith(b"[") else None


def _with_delay(answer: WireAnswer, content: Json) -> WireAnswer:
    """Gemini tells in the body how long to wait, as `3.5s` (https://aip.dev/193)."""
    delay = _detail(object_at(content, "error"), "retryDelay")
    if not delay or "retry-after" in answer.headers:
        return answer
    return replace(answer, headers={**answer.headers, "retry-after": delay.removesuffix("s")})


def _codes(content: Json) -> tuple[str, ...]:
    """Type, code and status as they stand, then what the status alone does not tell.

    Gemini's reason: https://aip.dev/193. A message may quote the prompt, so only how it begins is looked at.
    """
    error = object_at(content, "error")
    codes = [text_at(error, key) for key in ("type", "code", "status")]
    codes.append(_detail(error, "reason"))
    if text_at(error, "message").startswith(NO_CREDIT):
        codes.append("credit_balance_too_low")
    return tuple(code for code in codes if code)


def _detail(error: Json, key: str) -> str:
    return next((text for detail in objects_at(error, "details") if (text := text_at(detail, key))), "")
