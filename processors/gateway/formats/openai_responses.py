"""OpenAI's responses.

Source: https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import Iterator, Mapping
from itertools import starmap
from typing import Any

import orjson

from processors.gateway.counts import Kind, TokenCount, counted
from processors.gateway.formats.fields import (
    Json,
    count_at,
    list_in,
    name_at,
    object_at,
    objects_at,
    shown,
    signed,
    text_at,
)
from processors.gateway.formats.openai_chat import JSON_HEADERS, given, tool_of
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer, StopReason, WireRequest
from processors.model import ChatMessage, ModelRequest, ToolCall

PATH = "/responses"
INCOMPLETE = {"max_output_tokens": StopReason.LENGTH, "content_filter": StopReason.REFUSAL}


class OpenAIResponses:
    """The format `openai-responses`. Nothing is stored at the provider; it takes no seed."""

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out."""
        content: dict[str, Any] = {
            "model": request.model,
            "input": [item for message in request.messages for item in _items(message, request)],
            "max_output_tokens": request.output_tokens_max,
            "store": False,
            **given(temperature=request.temperature, prompt_cache_key=request.prompt_cache_key),
        }
        if request.schema is not None:
            described = {"name": request.schema_name, "schema": dict(request.schema), "strict": True}
            content["text"] = {"format": {"type": "json_schema", **described}}
        if request.reasoning_effort is not None:
            content["reasoning"] = {"effort": request.reasoning_effort}
            if request.tools:
                # Nothing is stored, so thoughts go on after a tool's result only if they are sent back.
                content["include"] = ["reasoning.encrypted_content"]
        if request.tools:
            content["tools"] = [{"type": "function", **tool_of(tool)} for tool in request.tools]
        if stream:
            content["stream"] = True
        return WireRequest(path=PATH, headers=JSON_HEADERS, body=orjson.dumps(content))

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """Return the bearer token."""
        return {"authorization": f"Bearer {api_key}"}

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return what the model said.

        Raises:
            NotAnAnswerError: not a response, or one that is still being made.
        """
        if not isinstance(content.get("output"), list):
            raise NotAnAnswerError("no list of output items, expected one")
        items = tuple(objects_at(content, "output"))
        parts = tuple(part for item in items for part in _parts(item))
        told = (item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content"))
        tool_calls = tuple(starmap(_tool_call, signed(told, "function_call", {"reasoning"})))
        refused = any(part.get("type") == "refusal" for part in parts)
        return ParsedAnswer(
            text="".join(text_at(part, "text") for part in parts if part.get("type") == "output_text"),
            tool_calls=tool_calls,
            stop_reason=StopReason.REFUSAL if refused else _stop_reason(content, tool_calls),
            count=self.parse_usage(content.get("usage")),
            response_model=name_at(content, "model"),
        )

    def parse_usage(self, found: object) -> TokenCount | None:
        """Return the tokens, or None when `found` is no usage or contradicts itself.

        Cached and cache-written tokens are inside `input_tokens`, reasoning is inside `output_tokens`.
        Source: https://github.com/openai/openai-python/blob/main/src/openai/types/responses/response_usage.py
        """
        if not isinstance(found, dict) or not {"input_tokens", "output_tokens"} <= found.keys():
            return None
        inside, within = (object_at(found, f"{part}_tokens_details") for part in ("input", "output"))
        read, write = count_at(inside, "cached_tokens"), count_at(inside, "cache_write_tokens")
        reasoning = count_at(within, "reasoning_tokens")
        return counted(
            {
                Kind.FRESH: count_at(found, "input_tokens") - read - write,
                Kind.CACHE_READ: read,
                Kind.CACHE_WRITE: write,
                Kind.OUTPUT: count_at(found, "output_tokens") - reasoning,
                Kind.REASONING: reasoning,
            }
        )

    def new_assembler(self) -> "ResponsesStream":
        """Return an assembler for one stream."""
        return ResponsesStream()


class ResponsesStream:
    """Assembler of one stream: the last event holds the whole response."""

    FINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
    WORDS = frozenset(
        {"response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta"}
    )

    def __init__(self) -> None:
        self._response: Json = {}
        self._texts: list[str] = []
        self._final = False

    def add(self, event: Json) -> str:
        """Take the next event. Returns what it brought of text, refusal or tool calls."""
        kind = event.get("type")
        if kind == "error":
            # Either the error's own fields, or an object of them.
            self._response, self._final = {"error": event.get("error") or dict(event)}, True
        elif isinstance(event.get("response"), dict) and not self._final:
            self._response, self._final = event["response"], kind in self.FINAL
        if kind == "response.output_text.delta":
            self._texts.append(text_at(event, "delta"))
        return text_at(event, "delta") if kind in self.WORDS else ""

    @property
    def complete(self) -> bool:
        """Whether the whole response, or an error, came."""
        return self._final

    def body(self) -> Json:
        """Return what came so far, as a response."""
        if self._final:
            return self._response
        part = {"type": "output_text", "text": "".join(self._texts)}
        return {**self._response, "output": [{"type": "message", "content": [part]}]}


def _items(message: ChatMessage, request: ModelRequest) -> Iterator[dict[str, Any]]:
    if message.tool_call is not None:
        yield {
            "type": "function_call_output",
            "call_id": message.tool_call.id,
            "output": message.content,
        }
        return
    if message.content:
        yield {"role": message.role, "content": message.content}
    for call in message.tool_calls:
        yield from list_in(request.signature_of(call))
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _parts(item: Json) -> Iterator[Json]:
    if item.get("type") == "message":
        yield from objects_at(item, "content")


def _tool_call(item: Json, thoughts: str | None) -> ToolCall:
    return ToolCall(
        id=text_at(item, "call_id"),
        name=text_at(item, "name"),
        arguments=text_at(item, "arguments"),
        signature=thoughts,
    )


def _stop_reason(content: Json, tool_calls: tuple[ToolCall, ...]) -> StopReason:
    status = content.get("status")
    if status == "completed":
        return StopReason.TOOL_CALLS if tool_calls else StopReason.STOP
    why = object_at(content, "incomplete_details").get("reason")
    if status == "incomplete" and isinstance(why, str) and why in INCOMPLETE:
        return INCOMPLETE[why]
    raise NotAnAnswerError(f"status is {shown(status)} ({shown(why)}), expected completed or incomplete")
