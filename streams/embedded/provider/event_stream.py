"""Writing answers as server-sent events."""

from collections.abc import Iterable, Iterator

import orjson

from streams.embedded.provider.wire import Json

PIECE_CHARS = 64
DONE = b"data: [DONE]\n\n"


def pieces(text: str) -> Iterator[str]:
    """Yield the text in pieces, as a model would say it."""
    for start in range(0, len(text), PIECE_CHARS):
        yield text[start : start + PIECE_CHARS]


def unnamed(events: Iterable[Json]) -> bytes:
    """Return events that have data only."""
    return b"".join(b"data: %s\n\n" % orjson.dumps(event) for event in events)


def named(events: Iterable[Json]) -> bytes:
    """Return events that are named by the `type` in their data."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events
    )
