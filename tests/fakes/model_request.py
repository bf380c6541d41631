"""A valid question to a model with any field to vary."""

from typing import Any

from builders import RECIPE_REF, a_task
from processors.model import ChatMessage, ModelRequest


def a_request(**changes: Any) -> ModelRequest:
    fields: dict[str, Any] = {
        "task": a_task(),
        "recipe": RECIPE_REF,
        "revision": "r" * 20,
        "step": "write",
        "model": "gpt-5-nano",
        "messages": (ChatMessage(role="user", content="Write about Paris."),),
        "schema_name": "page",
        "schema": {"type": "object"},
        "output_tokens_max": 1_000,
    }
    return ModelRequest(**{**fields, **changes})
