"""OpenAI's chat completions, as OpenAI and every compatible server speak them.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from processors.gateway.counts import Kind, Modality, TokenClass, TokenCount, counted
from processors.gateway.formats.fields import (
    Json,
    count_at,
    json_object,
    name_at,
    object_at,
    objects_at,
    shown,
    text_at,
)
from processors.gateway.formats.openai_chat_stream import OpenAIChatStream
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer, StopReason, WireRequest
from processors.model import ChatMessage, ModelRequest, Tool, ToolCall

PATH = "/chat/completions"
JSON_HEADERS = {"content-type": "application/json"}

STOP_REASONS = {
    "stop": StopReason.STOP,
    "length": StopReason.LENGTH,
    "tool_calls": StopReason.TOOL_CALLS,
    "content_filter": StopReason.REFUSAL,
}
THOUGHTS = ("reasoning_content", "reasoning_details")
"""Fields of servers whose models think between tool calls. DeepSeek refuses a turn that lacks its own; OpenAI
has neither. Sources: https://api-docs.deepseek.com/guides/thinking_mode,
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens"""
MODALITIES = {
    "audio_tokens": Modality.AUDIO,
    "image_tokens": Modality.IMAGE,
    "video_tokens": Modality.VIDEO,
}


class OpenAIChat:
    """The format `openai-chat`."""

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out."""
        content: dict[str, Any] = {
            "model": request.model,
            "messages": [self._message(message, request) for message in request.messages],
            **self.limit_of(request),
            **self.answer_form(request),
            **given(temperature=request.temperature, seed=request.seed),
            **given(reasoning_effort=request.reasoning_effort, prompt_cache_key=request.prompt_cache_key),
        }
        if request.tools:
            content["tools"] = [{"type": "function", "function": tool_of(tool)} for tool in request.tools]
        if stream:
            content |= {"stream": True, "stream_options": {"include_usage": True}}
        return WireRequest(path=PATH, headers=JSON_HEADERS, body=orjson.dumps(content))

    def limit_of(self, request: ModelRequest) -> Mapping[str, Any]:
        """Return the field that bounds the output."""
        return {"max_completion_tokens": request.output_tokens_max}

    def answer_form(self, request: ModelRequest) -> Mapping[str, Any]:
        """Return the field that asks for the schema, if there is one."""
        if request.schema is None:
            return {}
        described = {"name": request.schema_name, "schema": dict(request.schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": described}}

    def thoughts_of(self, call: ToolCall, request: ModelRequest) -> Mapping[str, Any]:
        """Return the fields that bring thoughts back, for the first tool call that they led to."""
        return json_object(request.signature_of(call) or "{}") or {}

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """Return the bearer token."""
        return {"authorization": f"Bearer {api_key}"}

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return what the model said.

        Raises:
            NotAnAnswerError: not a chat completion.
        """
        choice = next(objects_at(content, "choices"), {})
        message = choice.get("message")
        if not isinstance(message, dict):
            raise NotAnAnswerError("no choice with a message, expected one")
        tool_calls = tuple(_tool_calls(message))
        stop_reason = _stop_reason(choice, message, tool_calls)
        return ParsedAnswer(
            text=_text(message, stop_reason),
            tool_calls=tool_calls,
            stop_reason=stop_reason,
            count=self.parse_usage(content.get("usage")),
            response_model=name_at(content, "model"),
        )

    def parse_usage(self, found: object) -> TokenCount | None:
        """Return the tokens, or None when `found` is no usage or contradicts itself.

        Cached, cache-written and audio tokens are inside `prompt_tokens`, reasoning is inside
        `completion_tokens`; xAI alone counts reasoning beside it, which its total shows. Source:
        https://github.com/openai/openai-python/blob/main/src/openai/types/completion_usage.py
        """
        if not isinstance(found, dict) or not {"prompt_tokens", "completion_tokens"} <= found.keys():
            return None
        inside, within = (object_at(found, f"{part}_tokens_details") for part in ("prompt", "completion"))
        prompt, output = count_at(found, "prompt_tokens"), count_at(found, "completion_tokens")
        reasoning = count_at(within, "reasoning_tokens")
        if reasoning > 0 and found.get("total_tokens") == prompt + output + reasoning:
            output += reasoning
        read, write = _read(found, inside), count_at(inside, "cache_write_tokens")
        tokens = {
            Kind.FRESH: prompt - read - write,
            Kind.CACHE_READ: read,
            Kind.CACHE_WRITE: write,
            Kind.OUTPUT: output - reasoning,
            Kind.REASONING: reasoning,
        }
        return counted(tokens, _parts(Kind.FRESH, inside) | _parts(Kind.OUTPUT, within))

    def new_assembler(self) -> OpenAIChatStream:
        """Return an assembler for one stream."""
        return OpenAIChatStream()

    def _message(self, message: ChatMessage, request: ModelRequest) -> dict[str, Any]:
        content: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            content |= self.thoughts_of(message.tool_calls[0], request)
            content["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in message.tool_calls
            ]
        if message.tool_call is not None:
            content["tool_call_id"] = message.tool_call.id
        return content


def tool_of(tool: Tool) -> dict[str, Any]:
    """Return a tool as it goes out."""
    return {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}


def given(**fields: object) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _tool_calls(message: Json) -> Iterator[ToolCall]:
    """The first one has the thoughts before all of them."""
    thoughts = {key: message[key] for key in THOUGHTS if message.get(key) is not None}
    signature = orjson.dumps(thoughts).decode() if thoughts else None
    for found in objects_at(message, "tool_calls"):
        function = object_at(found, "function")
        yield ToolCall(
            id=text_at(found, "id"),
            name=text_at(function, "name"),
            arguments=text_at(function, "arguments"),
            signature=signature,
        )
        signature = None


def _stop_reason(choice: Json, message: Json, tool_calls: tuple[ToolCall, ...]) -> StopReason:
    if message.get("refusal"):
        return StopReason.REFUSAL
    found = choice.get("finish_reason")
    reason = STOP_REASONS.get(found) if isinstance(found, str) else None
    if reason is None:
        raise NotAnAnswerError(f"finish_reason is {shown(found)}, expected one of {', '.join(STOP_REASONS)}")
    # Some servers say `stop` beside tool calls.
    return StopReason.TOOL_CALLS if tool_calls and reason is StopReason.STOP else reason


def _text(message: Json, stop_reason: StopReason) -> str:
    text = message.get("content")
    if isinstance(text, str):
        return text
    if isinstance(text, list):  # Mistral's thinking models: parts, of which `thinking` is not the answer
        return "".join(text_at(part, "text") for part in objects_at(message, "content"))
    # A reasoning model that used up its tokens on thought has nothing to say: that is a cut answer.
    if text is None and stop_reason is not StopReason.STOP:
        return ""
    raise NotAnAnswerError(f"content is {shown(text)}, expected a text")


def _read(found: Json, inside: Json) -> int:
    # DeepSeek tells the same number in a field of its own, older servers only there.
    key = "cached_tokens"
    return count_at(inside, key) if key in inside else count_at(found, "prompt_cache_hit_tokens")


def _parts(kind: Kind, details: Json) -> dict[TokenClass, int]:
    return {
        (kind, modality): count_at(details, key) for key, modality in MODALITIES.items() if key in details
    }
