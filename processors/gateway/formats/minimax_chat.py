"""MiniMax's dialect of chat completions.

Source: https://platform.minimaxi.com/docs/api-reference/text-openai-api
"""

from dataclasses import replace
from typing import Any

import orjson

from processors.gateway.formats.openai_chat import OpenAIChat
from processors.gateway.wire import WireRequest
from processors.model import ModelRequest

TEMPERATURE_MIN = 0.01
"""0 itself is refused: the range is (0, 1]."""


class MiniMaxChat(OpenAIChat):
    """The format `minimax-chat`: thoughts would stand in the text unless they are split off."""

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out."""
        if request.temperature is not None:
            request = replace(request, temperature=min(max(request.temperature, TEMPERATURE_MIN), 1.0))
        wire = super().build_request(request, stream=stream)
        content: dict[str, Any] = orjson.loads(wire.body)
        return replace(wire, body=orjson.dumps(content | {"reasoning_split": True}))
