"""OpenAI's chat completions: how a request is read and how answers, errors and headers are written.

Source: https://platform.openai.com/docs/api-reference/chat, and recorded exchanges.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from streams.embedded.provider.event_stream import DONE, pieces, unnamed
from streams.embedded.provider.limits import Admission, WindowState, duration
from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.request_fields import (
    body_sha256,
    joined_text,
    json_object,
    listed,
    model_name,
    tokens_max,
)
from streams.embedded.provider.thoughts import DEEPSEEK, refuse_temperature
from streams.embedded.provider.tools import objects, offered, require_called
from streams.embedded.provider.wire import (
    SIMULATED_HEADER,
    Answer,
    Identity,
    Json,
    Message,
    ModelRequest,
    OfferedTool,
    Problem,
    Role,
    ToolCall,
)

OPENAI_VERSION = "2020-10-01"
THOUGHT = "The tools say more than I know. (simulated)"
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
    """The format of `POST /v1/chat/completions`."""

    name = "openai_chat"
    path = "/v1/chat/completions"

    def api_key_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the bearer token."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body; fields without influence on a simulated answer are taken as they are."""
        del model
        content = json_object(body)
        _refuse_unsupported(content)
        form = content.get("response_format")
        refuse_temperature(content)
        tools = _tools(content)
        depends_on = [content.get("model"), content.get("messages"), form, content.get("seed")]
        depends_on += [tool.name for tool in tools]
        return ModelRequest(
            model=model_name(content.get("model")),
            messages=_messages(content),
            schema=_schema(form),
            output_tokens_max=tokens_max(content, "max_completion_tokens", "max_tokens"),
            # Not sorted: the order of a schema's properties is the order of the answer's.
            fingerprint=hashlib.blake2b(orjson.dumps(depends_on), digest_size=16).digest(),
            body_sha256=body_sha256(content),
            stream=bool(content.get("stream")),
            tools=tools,
            thinks=_thinks(content),
        )

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write a chat completion."""
        completion: Json = {
            "id": f"chatcmpl-{identity.request_id}",
            "object": "chat.completion",
            "created": identity.created_s,
            "model": request.model,
            "choices": [_choice(answer, thinks=request.thinks)],
            "usage": _usage(request.input_tokens, answer.output_tokens),
            "service_tier": "default",
            "system_fingerprint": "pressline-simulated",
        }
        if not answer.with_usage:
            del completion["usage"]
        return _stream(completion, answer) if request.stream else orjson.dumps(completion)

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


def _refuse_unsupported(content: Json) -> None:
    # Answering such a request in another way than asked would teach a caller something false.
    if content.get("n") not in (None, 1):
        raise invalid_request(f"n is {content['n']!r}, only 1 is simulated.", param="n")
    if content.get("tool_choice") not in (None, "auto", "none"):
        raise invalid_request("Forced tool calls are not simulated. Send auto or none.", param="tool_choice")


def _tools(content: Json) -> tuple[OfferedTool, ...]:
    messages = tuple(objects(content.get("messages")))
    require_called(
        (message.get("tool_call_id") for message in messages if message.get("role") == "tool"),
        (call.get("id") for message in messages for call in objects(message.get("tool_calls"))),
    )
    if content.get("tool_choice") == "none":
        return ()
    found = (tool.get("function") for tool in objects(content.get("tools")))
    return offered((tool for tool in found if isinstance(tool, dict)), "parameters")


def _thinks(content: Json) -> bool:
    """DeepSeek's models think, and want their thoughts back with the calls that they led to."""
    if DEEPSEEK.match(str(content.get("model"))) is None:
        return False
    turns = (message for message in objects(content.get("messages")) if message.get("tool_calls"))
    if any("reasoning_content" not in turn for turn in turns):
        raise invalid_request("The reasoning_content in the thinking mode must be passed back to the API.")
    return True


def _messages(content: Json) -> tuple[Message, ...]:
    return tuple(_message(message, index) for index, message in enumerate(listed(content, "messages")))


def _message(message: Any, index: int) -> Message:
    param = f"messages[{index}]"
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise invalid_request(f"{param} must be an object with a role.", param=param)
    role = ROLES.get(message["role"])
    if role is None:
        raise invalid_request(f"{param}.role must be one of {', '.join(ROLES)}.", param=f"{param}.role")
    return Message(role=role, text=joined_text(message.get("content"), f"{param}.content"))


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


def _choice(answer: Answer, *, thinks: bool) -> Json:
    message: Json = {
        "role": "assistant",
        "content": answer.content,
        "refusal": answer.refusal,
        "annotations": [],
    }
    if thinks:
        message["reasoning_content"] = THOUGHT
    if answer.tool_call is not None:
        message["tool_calls"] = [_tool_call(answer.tool_call)]
    return {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason.value}


def _tool_call(call: ToolCall) -> Json:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _stream(completion: Json, answer: Answer) -> bytes:
    common = {key: completion[key] for key in ("id", "created", "model")} | {
        "object": "chat.completion.chunk"
    }
    key, text = ("refusal", answer.refusal) if answer.refusal else ("content", answer.content)
    thought = completion["choices"][0]["message"].get("reasoning_content", "")
    thoughts = ({"reasoning_content": piece} for piece in pieces(thought))
    texts = ({key: piece} for piece in pieces(text or ""))
    deltas = [{"role": "assistant"}, *thoughts, *texts, *_tool_deltas(answer)]
    chunks = [_chunk(common, delta, None) for delta in deltas]
    ended = _chunk(common, {}, answer.finish_reason.value)
    counted = [common | {"choices": [], "usage": completion["usage"]}] if "usage" in completion else []
    return unnamed([*chunks, ended, *counted]) + DONE


def _tool_deltas(answer: Answer) -> Iterator[Json]:
    """The call comes first without its arguments, then they come in pieces."""
    call = answer.tool_call
    if call is None:
        return
    yield {"tool_calls": [{"index": 0, **_tool_call(replace(call, arguments=""))}]}
    for piece in pieces(call.arguments):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _chunk(common: Json, delta: Json, finish_reason: str | None) -> Json:
    return common | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


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
