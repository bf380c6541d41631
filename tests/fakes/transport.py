"""A way to a provider that gives what it is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson

from processors.gateway.wire import WireAnswer, WireRequest, WireStream

USAGE: Mapping[str, object] = {"prompt_tokens": 400, "completion_tokens": 300}


def a_completion(
    text: str | None = '{"a": 1}', *, finish_reason: str = "stop", **changes: object
) -> WireAnswer:
    """A chat completion; `changes` are fields of the whole body."""
    message = {"role": "assistant", "content": text, "refusal": changes.pop("refusal", None)}
    body = {
        "id": "chatcmpl-1",
        "model": "gpt-5-nano-2025-08-07",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": USAGE,
        **changes,
    }
    return WireAnswer(status=200, headers={}, body=orjson.dumps(body))


def a_problem(status: int, *, code: str | None = None, **headers: str) -> WireAnswer:
    """An error in the provider's format; `headers` with `_` for `-`."""
    body = orjson.dumps({"error": {"message": "quotes the prompt", "type": "an_error", "code": code}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WireAnswer(status=status, headers=named, body=body)


class ScriptedTransport:
    """Transport that gives its replies in order, the last one for ever, and keeps the requests."""

    def __init__(self, *replies: WireAnswer | Exception) -> None:
        self._replies = list(replies) or [a_completion()]
        self.requests: list[WireRequest] = []
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()
        self.broken: Exception | None = None

    async def send(self, request: WireRequest) -> WireAnswer:
        self.requests.append(request)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    @asynccontextmanager
    async def stream(self, request: WireRequest) -> AsyncIterator[WireStream]:
        """The reply's body in two halves; after the first one it breaks when `broken` is set."""
        reply = await self.send(request)
        yield WireStream(status=reply.status, headers=reply.headers, chunks=self._halves(reply.body))

    async def _halves(self, body: bytes) -> AsyncIterator[bytes]:
        middle = len(body) // 2
        yield body[:middle]
        if self.broken is not None:
            raise self.broken
        yield body[middle:]
