"""DeepSeek's dialect of chat completions.

Source: https://api-docs.deepseek.com/api/create-chat-completion, https://api-docs.deepseek.com/guides/json_mode,
https://api-docs.deepseek.com/guides/thinking_mode
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from processors.gateway.formats.openai_chat import OpenAIChat
from processors.gateway.wire import WireRequest
from processors.model import ChatMessage, ModelRequest, ToolCall


class DeepSeekChat(OpenAIChat):
    """The format `deepseek-chat`: JSON, but no schema of it, so the schema stands in the prompt."""

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out."""
        if request.schema is not None:
            told = f"Answer with JSON that fits this JSON Schema:\n{orjson.dumps(request.schema).decode()}"
            system = ChatMessage(role="system", content=told)
            request = replace(request, messages=(system, *request.messages))
        return super().build_request(request, stream=stream)

    def limit_of(self, request: ModelRequest) -> Mapping[str, Any]:
        """Return the field that bounds the output, under its older name."""
        return {"max_tokens": request.output_tokens_max}

    def answer_form(self, request: ModelRequest) -> Mapping[str, Any]:
        """Return the field that asks for JSON, if a schema is asked for."""
        return {} if request.schema is None else {"response_format": {"type": "json_object"}}

    def thoughts_of(self, call: ToolCall, request: ModelRequest) -> Mapping[str, Any]:
        """Return the thoughts, empty ones where another model asked: a turn without any is refused."""
        return {"reasoning_content": "", **super().thoughts_of(call, request)}
