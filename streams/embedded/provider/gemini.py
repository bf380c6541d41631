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
from streams.embedded.provider.thoughts import SIGNATURE
from streams.embedded.provider.tools import objects, offered, require_called
from streams.embedded.provider.wire import (
    SIMULATED_HEADER,
    Answer,
    FinishReason,
    Identity,
    Json,
    Message,
    ModelRequest,
    OfferedTool,
    Problem,
    Role,
)

ROLES = {None: Role.USER, "user": Role.USER, "model": Role.ASSISTANT}
FINISH_REASONS = {
    FinishReason.STOP: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.TOOL_CALLS: "STOP",
}
UNSIGNED = "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv"
"""Stands for the signature of a call that another model asked for."""
STATUS = {
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Gemini:
    """The format of `POST …/models/MODEL:generateContent`.

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
            model=model_name(model),
            messages=(*instructions, *said),
            schema=config.get("responseJsonSchema") or config.get("responseSchema"),
            output_tokens_max=tokens_max(config, "maxOutputTokens"),
            tools=_tools(content),
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
            return unnamed(_chunks(answer, common, whole, reason))
        parts = None if answer.refusal else [*_call_parts(answer), *_text_parts(answer.content)]
        return orjson.dumps(whole | {"candidates": [_candidate(parts, reason)]})

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
    results = [
        result
        for part in objects(found.get("parts"))
        if isinstance(result := part.get("functionResponse"), dict)
    ]
    told = [orjson.dumps(result.get("response")).decode() for result in results]
    text = "\n".join(filter(None, (_parts_text(found, param), *told)))
    return Message(role=Role.TOOL if results else role, text=text)


def _tools(content: Json) -> tuple[OfferedTool, ...]:
    said = objects(content.get("contents"))
    parts = [part for message in said for part in objects(message.get("parts"))]
    calls = [part for part in parts if isinstance(part.get("functionCall"), dict)]
    results = [found for part in parts if isinstance(found := part.get("functionResponse"), dict)]
    require_called(
        (result.get("name") for result in results), (call["functionCall"].get("name") for call in calls)
    )
    if any(call.get("thoughtSignature") not in {SIGNATURE, UNSIGNED} for call in calls):
        raise invalid_request("A functionCall lacks the thoughtSignature that it came with. Send it back.")
    declared = (
        each for tool in objects(content.get("tools")) for each in objects(tool.get("functionDeclarations"))
    )
    return offered(declared, "parametersJsonSchema")


def _parts_text(found: Any, param: str) -> str:
    parts = found.get("parts") if isinstance(found, dict) else None
    return joined_text([parts] if isinstance(parts, dict) else parts, f"{param}.parts")


def _text_parts(text: str | None) -> list[Json]:
    return [] if text is None else [{"text": text}]


def _call_parts(answer: Answer) -> list[Json]:
    if answer.tool_call is None:
        return []
    call = {"name": answer.tool_call.name, "args": orjson.loads(answer.tool_call.arguments)}
    return [{"functionCall": call, "thoughtSignature": SIGNATURE}]


def _candidate(parts: list[Json] | None, reason: str | None) -> Json:
    content = {} if parts is None else {"content": {"parts": parts, "role": "model"}}
    return {**content, "index": 0, **({} if reason is None else {"finishReason": reason})}


def _chunks(answer: Answer, common: Json, whole: Json, reason: str) -> Iterator[Json]:
    for part in (*_call_parts(answer), *({"text": piece} for piece in pieces(answer.content or ""))):
        yield common | {"candidates": [_candidate([part], None)]}
    yield whole | {"candidates": [_candidate([{"text": ""}], reason)]}
