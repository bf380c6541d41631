"""Anthropic's messages.

Source: https://docs.anthropic.com/en/api/messages
"""

from collections.abc import Iterator, Mapping
from itertools import groupby, starmap
from typing import Any

import orjson

from processors.gateway.counts import Kind, TokenCount, counted
from processors.gateway.formats.anthropic_stream import AnthropicStream
from processors.gateway.formats.fields import (
    Json,
    count_at,
    json_object,
    list_in,
    name_at,
    object_at,
    objects_at,
    shown,
    signed,
    text_at,
)
from processors.gateway.formats.openai_chat import JSON_HEADERS, given
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer, StopReason, WireRequest
from processors.model import ChatMessage, ModelRequest, ToolCall

PATH = "/messages"
VERSION = "2023-06-01"
THINKING_TOKENS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384}
"""By effort, for models that are told so in tokens, 1,024 at the least.
Source: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking"""
EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
"""For the others. Source: https://docs.anthropic.com/en/docs/build-with-claude/effort"""
THOUGHTS = frozenset({"thinking", "redacted_thinking"})
"""Blocks that have to come back, as they are, with the tool calls that follow them."""

STOP_REASONS = {
    "end_turn": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "tool_use": StopReason.TOOL_CALLS,
    "refusal": StopReason.REFUSAL,
    "pause_turn": StopReason.PAUSED,
}


class AnthropicMessages:
    """The format `anthropic-messages`. It takes no seed."""

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out."""
        content: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.output_tokens_max,
            **_thinking(request),
            **_output_config(request),
            **_prefix(request),
            "messages": list(_turns(request)),
        }
        if stream:
            content["stream"] = True
        return WireRequest(path=PATH, headers=JSON_HEADERS, body=orjson.dumps(content))

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """Return the key, and the version without which no request is taken."""
        return {"x-api-key": api_key, "anthropic-version": VERSION}

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return what the model said.

        Raises:
            NotAnAnswerError: not a message.
        """
        if not isinstance(content.get("content"), list):
            raise NotAnAnswerError("no list of content blocks, expected one")
        blocks = tuple(objects_at(content, "content"))
        found = content.get("stop_reason")
        reason = STOP_REASONS.get(found) if isinstance(found, str) else None
        if reason is None:
            raise NotAnAnswerError(
                f"stop_reason is {shown(found)}, expected one of {', '.join(STOP_REASONS)}"
            )
        return ParsedAnswer(
            text="".join(text_at(block, "text") for block in blocks if block.get("type") == "text"),
            tool_calls=tuple(starmap(_tool_call, signed(blocks, "tool_use", THOUGHTS))),
            stop_reason=reason,
            count=self.parse_usage(content.get("usage")),
            response_model=name_at(content, "model"),
        )

    def parse_usage(self, found: object) -> TokenCount | None:
        """Return the tokens, or None when `found` is no usage or contradicts itself.

        Both cache classes are outside `input_tokens`; writes that are kept for an hour are told apart, as
        they cost more. Source:
        https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/types/usage.py
        """
        if not isinstance(found, dict) or not {"input_tokens", "output_tokens"} <= found.keys():
            return None
        write = count_at(found, "cache_creation_input_tokens")
        hour = count_at(object_at(found, "cache_creation"), "ephemeral_1h_input_tokens")
        reasoning = count_at(object_at(found, "output_tokens_details"), "thinking_tokens")
        return counted(
            {
                Kind.FRESH: count_at(found, "input_tokens"),
                Kind.CACHE_READ: count_at(found, "cache_read_input_tokens"),
                Kind.CACHE_WRITE: write - hour,
                Kind.CACHE_WRITE_1H: hour,
                Kind.OUTPUT: count_at(found, "output_tokens") - reasoning,
                Kind.REASONING: reasoning,
            }
        )

    def new_assembler(self) -> AnthropicStream:
        """Return an assembler for one stream."""
        return AnthropicStream()


def _prefix(request: ModelRequest) -> dict[str, Any]:
    """System prompt and tools. They come first in the prompt, so one mark at their end caches both.

    Where stable parts follow them, the mark is at the end of those.
    """
    prompts = [message.content for message in request.messages if message.role == "system"]
    system: list[dict[str, Any]] = [{"type": "text", "text": text} for text in prompts]
    tools: list[dict[str, Any]] = [
        {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
        for tool in request.tools
    ]
    last = next(iter((*reversed(system), *reversed(tools))), None)
    if last is not None and not any(message.stable_chars for message in request.messages):
        last |= _mark(request)
    return {name: found for name, found in (("system", system), ("tools", tools)) if found}


def _mark(request: ModelRequest) -> dict[str, Any]:
    if request.cache_ttl is None:
        return {}
    return {"cache_control": {"type": "ephemeral", "ttl": request.cache_ttl}}


def _thinking(request: ModelRequest) -> dict[str, Any]:
    """How much to think, or else the temperature: a model that thinks takes none."""
    if request.reasoning_effort is None:
        return given(temperature=request.temperature)
    if not request.reasoning_in_tokens:
        return {"thinking": {"type": "adaptive"}}
    # Thinking has to leave room for the answer.
    budget = min(THINKING_TOKENS[request.reasoning_effort], request.output_tokens_max // 2)
    if budget < THINKING_TOKENS["minimal"] or _goes_on_without_thoughts(request):
        return {"thinking": {"type": "disabled"}, **given(temperature=request.temperature)}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _goes_on_without_thoughts(request: ModelRequest) -> bool:
    """Whether tool calls are answered that began without thoughts of this model, as another made them.

    Between tool calls these models refuse to begin to think.
    """
    last = next(message for message in reversed(request.messages) if message.role != "tool")
    return bool(last.tool_calls) and request.signature_of(last.tool_calls[0]) is None


def _output_config(request: ModelRequest) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if request.reasoning_effort is not None and not request.reasoning_in_tokens:
        config["effort"] = EFFORTS[request.reasoning_effort]
    if request.schema is not None:
        config["format"] = {"type": "json_schema", "schema": dict(request.schema)}
    return {"output_config": config} if config else {}


def _turns(request: ModelRequest) -> Iterator[dict[str, Any]]:
    """All results of one round of tool calls stand in one turn of the user."""
    said = (message for message in request.messages if message.role != "system")
    for role, turn in groupby(said, lambda each: "assistant" if each.role == "assistant" else "user"):
        yield {"role": role, "content": [block for message in turn for block in _blocks(message, request)]}


def _blocks(message: ChatMessage, request: ModelRequest) -> Iterator[dict[str, Any]]:
    if message.tool_call is not None:
        yield {"type": "tool_result", "tool_use_id": message.tool_call.id, "content": message.content}
        return
    thoughts = [list_in(request.signature_of(call)) for call in message.tool_calls]
    # A turn with thoughts has to begin with one.
    yield from thoughts[0] if thoughts else ()
    stable, rest = message.content[: message.stable_chars], message.content[message.stable_chars :]
    if stable:
        yield {"type": "text", "text": stable, **_mark(request)}
    if rest:
        yield {"type": "text", "text": rest}
    for number, call in enumerate(message.tool_calls):
        yield from thoughts[number] if number > 0 else ()
        arguments = json_object(call.arguments) or {}
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _tool_call(block: Json, thoughts: str | None) -> ToolCall:
    return ToolCall(
        id=text_at(block, "id"),
        name=text_at(block, "name"),
        arguments=orjson.dumps(block.get("input") or {}).decode(),
        signature=thoughts,
    )
