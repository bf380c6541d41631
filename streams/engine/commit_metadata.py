"""Records finished out of order, as text for the metadata of an offset commit.

Layout, base64 of: a version byte, CRC-32 of offset and bitmap (4 bytes, big-endian), bitmap (bit i of byte b,
least significant first, stands for committed offset + 8 b + i). Kafka caps the text at 4,096 bytes
(`offset.metadata.max.bytes`), enough for 24,536 offsets; a window spans at most 24,000.
"""

import base64
import binascii
import logging
import struct
import zlib
from collections.abc import Iterable

VERSION = 1
METADATA_BYTES_MAX = 4096
_HEADER = struct.Struct(">BI")
_OFFSET = struct.Struct(">q")

log = logging.getLogger(__name__)


def encode(offset: int, finished: Iterable[int], bytes_max: int = METADATA_BYTES_MAX) -> str:
    """Return the metadata of a commit at `offset`.

    Args:
        offset: the committed offset.
        finished: offsets above it that are finished; those further than the cap allows are left out, which
            means that they are processed again, never that they are lost.
        bytes_max: most bytes that the broker keeps.
    """
    bits_max = (bytes_max // 4 * 3 - _HEADER.size) * 8
    places = [place for place in (o - offset for o in finished) if 0 <= place < bits_max]
    if not places:
        return ""
    bitmap = bytearray(max(places) // 8 + 1)
    for place in places:
        bitmap[place >> 3] |= 1 << (place & 7)
    header = _HEADER.pack(VERSION, _checksum(offset, bytes(bitmap)))
    return base64.b64encode(header + bitmap).decode()


def decode(offset: int, metadata: str) -> frozenset[int]:
    """Return the offsets that are finished above a committed `offset`.

    Unknown, foreign or broken metadata gives the empty set: records are processed again, never skipped.
    """
    if not metadata:
        return frozenset()
    bitmap = _bitmap(offset, metadata)
    if bitmap is None:
        log.warning("commit metadata at offset %d is not ours or is broken; starting from the offset", offset)
        return frozenset()
    return frozenset(
        offset + index * 8 + bit for index, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1
    )


def _bitmap(offset: int, metadata: str) -> bytes | None:
    if len(metadata) > METADATA_BYTES_MAX:
        return None
    try:
        raw = base64.b64decode(metadata, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) < _HEADER.size:
        return None
    version, checksum = _HEADER.unpack_from(raw)
    bitmap = raw[_HEADER.size :]
    if version != VERSION or checksum != _checksum(offset, bitmap):
        return None
    return bitmap


def _checksum(offset: int, bitmap: bytes) -> int:
    return zlib.crc32(_OFFSET.pack(offset) + bitmap)
