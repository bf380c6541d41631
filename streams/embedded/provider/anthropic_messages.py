"""Anthropic's messages: how a request is read and how answers, errors and headers are written.

Source: https://docs.anthropic.com/en/api/messages, and recorded exchanges.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from streams.embedded.provider.event_stream import named, pieces
from streams.embedded.provider.limits import Admission, WindowState
from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.request_fields import (
    joined_text,
    json_object,
    listed,
    model_name,
    neutral_request,
    tokens_max,
)
from streams.embedded.provider.thoughts import SIGNATURE, claude_thinks, require_signed
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
    ToolCall,
)

THOUGHT: Json = {"type": "thinking", "thinking": "", "signature": SIGNATURE}
"""Told without its words, as the newest models do."""
ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}
STOP_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
}
KINDS = {
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
}


class AnthropicMessages:
    """The format of `POST /v1/messages`."""

    name = "anthropic_messages"
    path = "/v1/messages"

    def api_key_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the key."""
        return headers.get("x-api-key")

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body; `max_tokens` must be given, as of the provider itself."""
        del model
        content = json_object(body)
        bound = tokens_max(content, "max_tokens")
        if bound is None:
            raise invalid_request("max_tokens: Field required.", param="max_tokens")
        system = joined_text(content.get("system"), "system")
        said = tuple(_message(found, index) for index, found in enumerate(listed(content, "messages")))
        instructions = (Message(role=Role.INSTRUCTIONS, text=system),) if system else ()
        request = neutral_request(
            content,
            model=model_name(content.get("model")),
            messages=(*instructions, *said),
            schema=_schema(content),
            output_tokens_max=bound,
            tools=_tools(content),
        )
        return replace(request, thinks=claude_thinks(content))

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write a message, or the events of one."""
        usage = {
            "input_tokens": request.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": answer.output_tokens,
            "service_tier": "standard",
        }
        message: Json = {
            "id": f"msg_{identity.request_id}",
            "type": "message",
            "role": "assistant",
            "model": request.model,
            "content": [*([THOUGHT] if request.thinks else []), *_blocks(answer)],
            "stop_reason": "refusal" if answer.refusal else STOP_REASONS[answer.finish_reason],
            "stop_sequence": None,
            **({"usage": usage} if answer.with_usage else {}),
        }
        return named(_events(message, answer)) if request.stream else orjson.dumps(message)

    def problem(self, problem: Problem) -> bytes:
        """Write an error object."""
        kind = KINDS.get(problem.status, "invalid_request_error")
        return orjson.dumps({"type": "error", "error": {"type": kind, "message": problem.message}})

    def headers(self, admission: Admission, identity: Identity) -> dict[str, str]:
        """Return identity, the state of the limits, and after a refusal how long to wait."""
        headers = {"request-id": identity.request_id, SIMULATED_HEADER: "true"}
        for name, state in (("requests", admission.requests), ("tokens", admission.tokens)):
            if state is not None:
                headers |= _limit_headers(name, state, identity)
        if admission.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(admission.retry_after_s))
        return headers


def _message(message: Any, index: int) -> Message:
    param = f"messages[{index}]"
    role = ROLES.get(message.get("role", "")) if isinstance(message, dict) else None
    if role is None:
        raise invalid_request(
            f"{param} must be an object whose role is one of {', '.join(ROLES)}.", param=param
        )
    results = tuple(each for each in objects(message.get("content")) if each.get("type") == "tool_result")
    texts = [
        joined_text(found, f"{param}.content") for found in (message.get("content"), *_contents(results))
    ]
    return Message(role=Role.TOOL if results else role, text="\n".join(filter(None, texts)))


def _contents(results: Iterable[Json]) -> Iterator[Any]:
    return (result.get("content") for result in results)


def _tools(content: Json) -> tuple[OfferedTool, ...]:
    said = objects(content.get("messages"))
    turns = [(message.get("role"), tuple(objects(message.get("content")))) for message in said]
    _require_thoughts(content, turns)
    blocks = [block for _, turn in turns for block in turn]
    require_called(
        (block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"),
        (block.get("id") for block in blocks if block.get("type") == "tool_use"),
    )
    return offered(objects(content.get("tools")), "input_schema")


def _require_thoughts(content: Json, turns: Sequence[tuple[Any, Sequence[Json]]]) -> None:
    """Thoughts come back signed; with a budget of tokens for them, the last turn begins with one."""
    thoughts = [block for _, turn in turns for block in turn if block.get("type") == "thinking"]
    require_signed(block.get("signature") for block in thoughts)
    last = next((turn for role, turn in reversed(turns) if role == "assistant"), ())
    thinking = content.get("thinking")
    if not last or not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    if last[0].get("type") != "thinking":
        raise invalid_request(
            f"Expected `thinking` or `redacted_thinking`, but found `{last[0].get('type')}`. When `thinking`"
            " is enabled, a final `assistant` message must start with a thinking block."
        )


def _schema(content: Json) -> Any:
    config = content.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    if form is None:
        return None
    schema = form.get("schema") if isinstance(form, dict) and form.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        raise invalid_request(
            "output_config.format must be of type json_schema, with a schema.", param="output_config"
        )
    return schema


def _blocks(answer: Answer) -> Iterator[Json]:
    if answer.content is not None:
        yield {"type": "text", "text": answer.content}
    if answer.tool_call is not None:
        yield _tool_use(answer.tool_call)


def _tool_use(call: ToolCall) -> Json:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": orjson.loads(call.arguments)}


def _events(message: Json, answer: Answer) -> Iterator[Json]:
    usage = message.get("usage", {})
    begun = {**message, "content": [], "stop_reason": None}
    if usage:
        begun["usage"] = {**usage, "output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        empty, deltas = _in_pieces(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"]}}
    yield ended | ({"usage": {"output_tokens": answer.output_tokens}} if usage else {})
    yield {"type": "message_stop"}


def _in_pieces(block: Json) -> tuple[Json, Iterator[Json]]:
    """Return the block as it begins, and what comes after."""
    if block["type"] == "thinking":
        return {**block, "signature": ""}, iter(({"type": "signature_delta", "signature": SIGNATURE},))
    if block["type"] == "text":
        return {**block, "text": ""}, (
            {"type": "text_delta", "text": piece} for piece in pieces(block["text"])
        )
    arguments = pieces(orjson.dumps(block["input"]).decode())
    return {**block, "input": {}}, (
        {"type": "input_json_delta", "partial_json": piece} for piece in arguments
    )


def _limit_headers(name: str, state: WindowState, identity: Identity) -> dict[str, str]:
    reset = datetime.fromtimestamp(identity.created_s, UTC) + timedelta(seconds=math.ceil(state.reset_s))
    return {
        f"anthropic-ratelimit-{name}-limit": str(state.limit),
        f"anthropic-ratelimit-{name}-remaining": str(state.remaining),
        f"anthropic-ratelimit-{name}-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
