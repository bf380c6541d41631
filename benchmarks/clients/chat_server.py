"""A server of OpenAI's chat completions that does as little as asyncio takes: one answer for all.

Arguments: the port, then, if wanted, after how many seconds it answers, and the answer's text.
"""

import asyncio
import json
import sys
from typing import cast

PORT, DELAY_S, TEXT = (*sys.argv[1:], *("0", "0", "")[len(sys.argv) - 1 :])
ELEVEN = "Eleven airlines fly from Paris to Rome; most flights take two hours and five minutes. " * 8
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-5-nano",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT or ELEVEN, "refusal": None, "annotations": []},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 170,
        "completion_tokens": 150,
        "total_tokens": 320,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
}
HEAD_END = b"\r\n\r\n"


def _response(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Chat(asyncio.Protocol):
    """One connection: whole requests in, the same answer out."""

    served = 0
    answer = _response(ANSWER)

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._received += data
        while (end := self._received.find(HEAD_END)) >= 0:  # each round takes a request away
            head = self._received[:end].lower()
            size = end + len(HEAD_END) + _body_bytes(head)
            if len(self._received) < size:
                return
            self._received = self._received[size:]
            answer, delay_s = self._answer(head)
            if delay_s:
                asyncio.get_running_loop().call_later(delay_s, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    @classmethod
    def _answer(cls, head: bytes) -> tuple[bytes, float]:
        """Return what is answered, and after how many seconds."""
        if head.startswith(b"get /served"):
            return _response(cls.served), 0.0
        cls.served += 1
        return cls.answer, float(DELAY_S)


def _body_bytes(head: bytes) -> int:
    found = head.partition(b"content-length:")[2]
    return int(found.partition(b"\r\n")[0]) if found else 0


async def main() -> None:
    """Serve on the port of the command line."""
    server = await asyncio.get_running_loop().create_server(Chat, "127.0.0.1", int(PORT), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
