"""How an answer stands in the journal: as its text, and with its tool calls where tools were offered."""

from dataclasses import asdict

import orjson

from processors.gateway.wire import ParsedAnswer
from processors.model import ModelAnswer, ModelRequest, ToolCall


def kept_text(request: ModelRequest, parsed: ParsedAnswer | ModelAnswer) -> str:
    """Return what the journal keeps of the answer."""
    if not request.tools:
        return parsed.text
    calls = [asdict(call) for call in parsed.tool_calls]
    return orjson.dumps({"text": parsed.text, "tool_calls": calls}).decode()


def kept_words(request: ModelRequest, kept: str, model: str) -> tuple[str, tuple[ToolCall, ...]]:
    """Return text and tool calls of what `kept_text` made for a request that offers the same tools.

    Args:
        request: the question.
        kept: what the journal keeps of its answer.
        model: who answered, by its name in the catalogue.
    """
    if not request.tools:
        return kept, ()
    content = orjson.loads(kept)
    return content["text"], tuple(ToolCall(**call | {"asked_by": model}) for call in content["tool_calls"])
