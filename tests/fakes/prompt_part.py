"""A part of a prompt with any field to vary, and a question made of parts."""

from typing import Any

from fakes.model_request import a_request
from processors.model import ChatMessage, ModelRequest
from processors.prompt import PromptPart, joined


def a_part(name: str = "row", **changes: Any) -> PromptPart:
    return PromptPart(**{"name": name, "text": "Paris is large.", **changes})


def a_parted_request(*parts: PromptPart, **changes: Any) -> ModelRequest:
    messages = (
        ChatMessage(role="system", content="You write."),
        ChatMessage(role="user", content=joined(parts), parts=parts),
    )
    return a_request(messages=messages, **changes)
