"""OpenAI's chat completions: how a request is read and how answers, errors and headers are written.

Source: https://platform.openai.com/docs/api-reference/chat, and recorded exchanges.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import orjson

from streams.embedded.provider.limits import Admission, WindowState, duration
from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.wire import (
    SIMULATED_HEADER,
    Answer,
    Identity,
    Json,
    Message,
    ModelRequest,
    Problem,
    Role,
)

MESSAGES_MAX = 2_048
MODEL_CHARS_MAX = 256
OPENAI_VERSION = "2020-10-01"
ANY_OBJECT = orjson.dumps({"type": "object"})

ROLES = {
    "system": Role.INSTRUCTIONS,
    "developer": Role.INSTRUCTIONS,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}


class OpenAIChat:
    """The format of `POST /v1/chat/completions`, without streaming and without tool calls."""

    name = "openai_chat"
    path = "/v1/chat/completions"

    def api_key_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the bearer token."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def read(self, body: bytes) -> ModelRequest:
        """Read a request body; fields without influence on a simulated answer are taken as they are."""
        content = _json_object(body)
        _refuse_unsupported(content)
        form = content.get("response_format")
        depends_on = [content.get("model"), content.get("messages"), form, content.get("seed")]
        return ModelRequest(
            model=_model(content),
            messages=_messages(content),
            schema=_schema(form),
            output_tokens_max=_output_tokens_max(content),
            # Not sorted: the order of a schema's properties is the order of the answer's.
            fingerprint=hashlib.blake2b(orjson.dumps(depends_on), digest_size=16).digest(),
            body_sha256=hashlib.sha256(_canonical(content)).hexdigest(),
        )

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write a chat completion."""
        completion: Json = {
            "id": f"chatcmpl-{identity.request_id}",
            "object": "chat.completion",
            "created": identity.created_s,
            "model": request.model,
            "choices": [_choice(answer)],
            "usage": _usage(request.input_tokens, answer.output_tokens),
            "service_tier": "default",
            "system_fingerprint": "pressline-simulated",
        }
        if not answer.with_usage:
            del completion["usage"]
        return orjson.dumps(completion)

    def problem(self, problem: Problem) -> bytes:
        """Write an error object."""
        error = {
            "message": problem.message,
            "type": problem.kind,
            "param": problem.param,
            "code": problem.code,
        }
        return orjson.dumps({"error": error})

    def headers(self, admission: Admission, identity: Identity) -> dict[str, str]:
        """Return identity, the state of the limits, and after a refusal how long to wait."""
        headers = {
            "x-request-id": identity.request_id,
            "openai-version": OPENAI_VERSION,
            "openai-organization": "pressline-simulated",
            SIMULATED_HEADER: "true",
        }
        for name, state in (("requests", admission.requests), ("tokens", admission.tokens)):
            if state is not None:
                headers.update(_limit_headers(name, state))
        if admission.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(admission.retry_after_s))
            headers["retry-after-ms"] = str(math.ceil(admission.retry_after_s * 1_000))
        return headers


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _json_object(body: bytes) -> Json:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_request(f"The body is not valid JSON: {error}. Send a JSON object.") from error
    if not isinstance(content, dict):
        raise invalid_request(f"The body is a JSON {type(content).__name__}, expected an object.")
    return content


def _refuse_unsupported(content: Json) -> None:
    # Answering such a request in another way than asked would teach a caller something false.
    if content.get("stream"):
        raise invalid_request("Streaming is not simulated. Send stream false.", param="stream")
    if content.get("n") not in (None, 1):
        raise invalid_request(f"n is {content['n']!r}, only 1 is simulated.", param="n")
    if content.get("tool_choice") not in (None, "auto", "none"):
        raise invalid_request("Forced tool calls are not simulated. Send auto or none.", param="tool_choice")


def _model(content: Json) -> str:
    model = content.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= MODEL_CHARS_MAX:
        raise invalid_request(
            f"model must be a name of 1 to {MODEL_CHARS_MAX} characters. Add it.", param="model"
        )
    return model


def _messages(content: Json) -> tuple[Message, ...]:
    messages = content.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MESSAGES_MAX:
        raise invalid_request(f"messages must be a list of 1 to {MESSAGES_MAX}.", param="messages")
    return tuple(_message(message, index) for index, message in enumerate(messages))


def _message(message: Any, index: int) -> Message:
    param = f"messages[{index}]"
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise invalid_request(f"{param} must be an object with a role.", param=param)
    role = ROLES.get(message["role"])
    if role is None:
        raise invalid_request(f"{param}.role must be one of {', '.join(ROLES)}.", param=f"{param}.role")
    return Message(role=role, text=_text(message.get("content"), f"{param}.content"))


def _text(content: Any, param: str) -> str:
    if content is None:  # an assistant message may hold tool calls alone
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    raise invalid_request(f"{param} must be a string or a list of parts.", param=param)


def _schema(form: Any) -> bytes | None:
    kind = form.get("type") if isinstance(form, dict) else form
    if kind in (None, "text"):
        return None
    if kind == "json_object":
        return ANY_OBJECT
    described = form.get("json_schema") if kind == "json_schema" and isinstance(form, dict) else None
    if not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
        raise invalid_request(
            "response_format must be of type text, json_object, or json_schema with json_schema.schema.",
            param="response_format",
        )
    return orjson.dumps(described["schema"])


def _output_tokens_max(content: Json) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        tokens = content.get(name)
        if tokens is None:
            continue
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
            raise invalid_request(f"{name} is {tokens!r}, expected a whole number from 1.", param=name)
        return tokens
    return None


def _choice(answer: Answer) -> Json:
    message: Json = {
        "role": "assistant",
        "content": answer.content,
        "refusal": answer.refusal,
        "annotations": [],
    }
    return {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason.value}


def _usage(input_tokens: int, output_tokens: int) -> Json:
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _limit_headers(name: str, state: WindowState) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{name}": str(state.limit),
        f"x-ratelimit-remaining-{name}": str(state.remaining),
        f"x-ratelimit-reset-{name}": duration(state.reset_s),
    }
