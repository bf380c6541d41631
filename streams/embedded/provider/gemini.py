"""Gemini's generateContent: how a request is read and how answers, errors and headers are written.

Source: https://ai.google.dev/api/generate-content, and recorded exchanges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from streams.embedded.provider.event_stream import pieces, unnamed
from streams.embedded.provider.limits import Admission
from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.request_fields import (
    joined_text,
    json_object,
    listed,
    model_name,
    neutral_request,
    tokens_max,
)
from streams.embedded.provider.wire import (
    SIMULATED_HEADER,
    Answer,
    FinishReason,
    Identity,
    Json,
    Message,
    ModelRequest,
    Problem,
    Role,
)

ROLES = {None: Role.USER, "user": Role.USER, "model": Role.ASSISTANT}
FINISH_REASONS = {FinishReason.STOP: "STOP", FinishReason.LENGTH: "MAX_TOKENS"}
STATUS = {
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Gemini:
    """The format of `POST …/models/MODEL:generateContent`, without tool calls.

    Args:
        stream: whether it is that of `:streamGenerateContent` instead.
    """

    def __init__(self, *, stream: bool) -> None:
        self.name = "gemini"
        self._stream = stream
        method = "streamGenerateContent" if stream else "generateContent"
        self.path = f"/{{version:v1|v1beta}}/models/{{model:[^:/]+}}:{method}"

    def api_key_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the key."""
        return headers.get("x-goog-api-key")

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body; the model stands in the address."""
        content = json_object(body)
        config = content.get("generationConfig")
        config = config if isinstance(config, dict) else {}
        system = _parts_text(content.get("systemInstruction"), "systemInstruction")
        said = tuple(_message(found, index) for index, found in enumerate(listed(content, "contents")))
        instructions = (Message(role=Role.INSTRUCTIONS, text=system),) if system else ()
        request = neutral_request(
            content,
            model_name(model),
            (*instructions, *said),
            config.get("responseJsonSchema") or config.get("responseSchema"),
            tokens_max(config, "maxOutputTokens"),
        )
        return replace(request, stream=self._stream)

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write an answer, or the chunks of one."""
        usage = {
            "promptTokenCount": request.input_tokens,
            "candidatesTokenCount": answer.output_tokens,
            "totalTokenCount": request.input_tokens + answer.output_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": request.input_tokens}],
        }
        common: Json = {"modelVersion": request.model, "responseId": identity.request_id}
        whole = common | ({"usageMetadata": usage} if answer.with_usage else {})
        reason = "SAFETY" if answer.refusal else FINISH_REASONS[answer.finish_reason]
        if request.stream:
            return unnamed(_chunks(answer.content or "", common, whole, reason))
        return orjson.dumps(whole | {"candidates": [_candidate(answer.content, reason)]})

    def problem(self, problem: Problem) -> bytes:
        """Write an error object."""
        error = {
            "code": problem.status,
            "message": problem.message,
            "status": STATUS.get(problem.status, "INVALID_ARGUMENT"),
        }
        return orjson.dumps({"error": error})

    def headers(self, admission: Admission, identity: Identity) -> dict[str, str]:
        """Return next to nothing: this provider tells no limits."""
        del admission, identity
        return {SIMULATED_HEADER: "true"}


def _message(found: Any, index: int) -> Message:
    param = f"contents[{index}]"
    role = ROLES.get(found.get("role")) if isinstance(found, dict) else None
    if role is None:
        raise invalid_request(f"{param} must be an object whose role is user or model.", param=param)
    return Message(role=role, text=_parts_text(found, param))


def _parts_text(found: Any, param: str) -> str:
    parts = found.get("parts") if isinstance(found, dict) else None
    return joined_text([parts] if isinstance(parts, dict) else parts, f"{param}.parts")


def _candidate(text: str | None, reason: str | None) -> Json:
    content = {} if text is None else {"content": {"parts": [{"text": text}], "role": "model"}}
    return {**content, "index": 0, **({} if reason is None else {"finishReason": reason})}


def _chunks(text: str, common: Json, whole: Json, reason: str) -> Iterator[Json]:
    for piece in pieces(text):
        yield common | {"candidates": [_candidate(piece, None)]}
    yield whole | {"candidates": [_candidate("", reason)]}
