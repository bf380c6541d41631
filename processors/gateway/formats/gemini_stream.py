"""The chunks of a streamed generateContent, put together to the body that it has unstreamed."""

from typing import Any

import orjson

from processors.gateway.formats.fields import Json, object_at, objects_at, text_at

KEPT = ("usageMetadata", "modelVersion", "responseId", "promptFeedback", "error")


class GeminiStream:
    """Assembler of one stream. Each chunk is a whole answer with the next parts; its usage is a total."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._parts: list[Json] = []
        self._finish_reason: object = None

    def add(self, event: Json) -> str:
        """Take the next chunk. Returns what it brought of text or tool calls."""
        self._kept |= {key: event[key] for key in KEPT if event.get(key)}
        candidate = next(objects_at(event, "candidates"), {})
        self._finish_reason = candidate.get("finishReason") or self._finish_reason
        parts = tuple(objects_at(object_at(candidate, "content"), "parts"))
        self._parts.extend(parts)
        return "".join(_words(part) for part in parts if not part.get("thought"))

    @property
    def complete(self) -> bool:
        """Whether a finish reason, a block of the prompt or an error came."""
        return self._finish_reason is not None or not self._kept.keys().isdisjoint(
            {"promptFeedback", "error"}
        )

    def body(self) -> Json:
        """Return what came so far, as one answer."""
        candidate = {"content": {"parts": self._parts}, "finishReason": self._finish_reason}
        return {**self._kept, "candidates": [candidate]}


def _words(part: Json) -> str:
    call = part.get("functionCall")
    return orjson.dumps(call).decode() if isinstance(call, dict) else text_at(part, "text")
