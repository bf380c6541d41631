"""Kafka's request framing, as far as a proxy has to know it.

A frame is a size (int32) and that many bytes. A request begins with api_key (int16), api_version (int16),
correlation_id (int32) and client_id (int16 length, then bytes; -1 is none), an answer with correlation_id.
Source: https://kafka.apache.org/protocol.html#protocol_messages
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from enum import IntEnum
from typing import NamedTuple

FRAME_BYTES_MAX = 64 * 1_048_576
CHUNK_BYTES = 65_536

SIZE = struct.Struct(">i")
REQUEST = struct.Struct(">hhih")
ANSWER = struct.Struct(">i")


class Api(IntEnum):
    """Requests that faults are aimed at."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14


class RequestHeader(NamedTuple):
    """What stands at the front of a request."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str


def read_request(frame: bytes) -> RequestHeader:
    """Return the header of a request frame, its size included."""
    api_key, api_version, correlation_id, length = REQUEST.unpack_from(frame, SIZE.size)
    start = SIZE.size + REQUEST.size
    return RequestHeader(
        api_key, api_version, correlation_id, frame[start : start + max(length, 0)].decode(errors="replace")
    )


def read_answer(frame: bytes) -> int:
    """Return the correlation id of an answer frame, its size included."""
    correlation_id: int = ANSWER.unpack_from(frame, SIZE.size)[0]
    return correlation_id


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole frames, each with its size, until the stream ends.

    Raises:
        asyncio.IncompleteReadError: it ended within a frame.
        ValueError: a size that no frame has: this is not Kafka's protocol.
    """
    while head := await _head(reader):
        size = SIZE.unpack(head)[0]
        if not 0 < size <= FRAME_BYTES_MAX:
            raise ValueError(f"a frame of {size} bytes, expected 1 to {FRAME_BYTES_MAX}")
        yield head + await reader.readexactly(size)


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield bytes as they come, until the stream ends."""
    while chunk := await reader.read(CHUNK_BYTES):
        yield chunk


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Return the four bytes of a size; none at the stream's end."""
    try:
        return await reader.readexactly(SIZE.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""
