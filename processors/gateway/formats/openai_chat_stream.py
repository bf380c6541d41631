"""The chunks of a streamed chat completion, put together to the body that it has unstreamed."""

from typing import Any

from processors.gateway.formats.fields import Json, object_at, objects_at, text_at

KEPT = ("id", "model", "usage", "error")
TEXTS = ("text", "summary")
"""What comes in pieces of a detail; the rest comes whole, a signature at the end of its detail. Source:
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens"""


class OpenAIChatStream:
    """Assembler of one stream."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._thoughts: list[str] = []
        self._details: dict[str, dict[str, Any]] = {}
        self._tool_calls: dict[int, list[dict[str, str]]] = {}
        self._finish_reason: object = None

    def add(self, event: Json) -> str:
        """Take the next chunk. Returns what it brought of text, refusal or tool calls."""
        self._kept |= {key: event[key] for key in KEPT if event.get(key)}
        choice = next(objects_at(event, "choices"), {})
        delta = object_at(choice, "delta")
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        self._thoughts.extend(_texts(delta, "reasoning_content"))
        for piece in objects_at(delta, "reasoning_details"):
            self._add_detail(piece)
        came: list[str] = []
        for key, texts in self._texts.items():
            texts.extend(new := _texts(delta, key))
            came += new
        for index, call in enumerate(objects_at(delta, "tool_calls")):
            came.append(self._add_call(call.get("index", index), call))
        return "".join(came)

    @property
    def complete(self) -> bool:
        """Whether a finish reason or an error came."""
        return self._finish_reason is not None or "error" in self._kept

    def body(self) -> Json:
        """Return what came so far, as a chat completion."""
        if "error" in self._kept:
            return self._kept
        message: dict[str, Any] = {key: "".join(texts) for key, texts in self._texts.items()}
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._details:
            message["reasoning_details"] = list(self._details.values())
        message["tool_calls"] = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": call["arguments"]}}
            for _, calls in sorted(self._tool_calls.items())
            for call in calls
        ]
        return {**self._kept, "choices": [{"message": message, "finish_reason": self._finish_reason}]}

    def _add_detail(self, piece: Json) -> None:
        in_pieces = any(name in piece for name in TEXTS)
        key = f"{piece.get('type')} {piece.get('index')}" if in_pieces else str(len(self._details))
        detail = self._details.setdefault(key, {})
        for name, value in piece.items():
            if name in TEXTS:
                detail[name] = text_at(detail, name) + text_at(piece, name)
            elif value or name not in detail:
                detail[name] = value

    def _add_call(self, index: object, found: Json) -> str:
        key = index if isinstance(index, int) else len(self._tool_calls)
        identity, function = text_at(found, "id"), object_at(found, "function")
        name, arguments = text_at(function, "name"), text_at(function, "arguments")
        calls = self._tool_calls.setdefault(key, [])
        if not calls or (name and _differ(identity, calls[-1]["id"])):
            calls.append({"id": "", "name": "", "arguments": ""})
        call = calls[-1]
        call["id"] = call["id"] or identity
        call["name"] = call["name"] or name
        call["arguments"] += arguments
        return name + arguments


def _differ(identity: str, begun: str) -> bool:
    """Ollama streams each call whole, all of them at index 0.

    Source: https://github.com/ollama/ollama/issues/15457
    """
    return bool(identity and begun) and identity != begun


def _texts(delta: Json, key: str) -> list[str]:
    if isinstance(delta.get(key), list):
        return [text for part in objects_at(delta, key) if (text := text_at(part, "text"))]
    return [text] if (text := text_at(delta, key)) else []
