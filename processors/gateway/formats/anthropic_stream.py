"""The events of a streamed message, put together to the body that it has unstreamed.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from typing import Any

from processors.gateway.formats.fields import Json, json_object, object_at, text_at

EXTENDED = frozenset({"text", "thinking", "signature"})


class AnthropicStream:
    """Assembler of one stream. Input tokens come first, output tokens at the end, as running totals."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._usage: dict[str, Any] = {}
        self._error: object = None
        self._complete = False

    def add(self, event: Json) -> str:
        """Take the next event. Returns what it brought of text or tool calls."""
        kind, delta = event.get("type"), object_at(event, "delta")
        if kind == "message_start":
            self._message = dict(object_at(event, "message"))
            self._usage = dict(object_at(self._message, "usage"))
        elif kind == "content_block_start":
            self._blocks[_index(event)] = dict(object_at(event, "content_block"))
        elif kind == "content_block_delta":
            _extend(self._blocks.setdefault(_index(event), {"type": "text"}), delta)
        elif kind == "message_delta":
            self._message |= delta
            self._usage |= {
                key: value for key, value in object_at(event, "usage").items() if value is not None
            }
        elif kind == "error":
            self._error = event.get("error")
        self._complete = self._complete or kind in {"message_stop", "error"}
        return text_at(delta, "text") + text_at(delta, "partial_json")

    @property
    def complete(self) -> bool:
        """Whether the end of the message, or an error, came."""
        return self._complete

    def body(self) -> Json:
        """Return what came so far, as a message."""
        if self._error is not None:
            return {"type": "error", "error": self._error}
        blocks = [_whole(block) for _, block in sorted(self._blocks.items())]
        return {**self._message, "content": blocks, "usage": self._usage}


def _index(event: Json) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _extend(block: dict[str, Any], delta: Json) -> None:
    if delta.get("type") == "input_json_delta":
        block["partial"] = text_at(block, "partial") + text_at(delta, "partial_json")
    for key in EXTENDED & delta.keys():
        block[key] = text_at(block, key) + text_at(delta, key)


def _whole(block: dict[str, Any]) -> dict[str, Any]:
    partial = block.pop("partial", None)
    return block if partial is None else block | {"input": json_object(partial) or {}}
