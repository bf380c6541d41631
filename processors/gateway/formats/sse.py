"""Server-sent events with JSON in them.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import AsyncIterator

from processors.gateway.formats.fields import Json, json_object
from processors.gateway.wire import NotAnAnswerError

DONE = b"[DONE]"


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Json]:
    """Yield the JSON objects of a stream as they come; comments and keep-alive lines are passed over.

    Args:
        chunks: the bytes, cut anywhere; bounded by the transport.

    Raises:
        NotAnAnswerError: an event holds no JSON object.
    """
    data: list[bytes] = []
    async for line in _lines(chunks):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            event, data = b"\n".join(data), []
            if event.strip() != DONE:
                yield _object(event)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async for chunk in chunks:
        *lines, last = chunk.split(b"\n")
        for line in lines:
            yield b"".join((*rest, line)).removesuffix(b"\r")
            rest.clear()
        rest.append(last)
    # The last event may lack the empty line that ends it: what was cut off is told by the assembler.
    yield b"".join(rest).removesuffix(b"\r")
    yield b""


def _object(event: bytes) -> Json:
    content = json_object(event)
    if content is None:
        raise NotAnAnswerError(f"an event of {len(event)} bytes is no JSON object, expected one")
    return content
