"""Inflating record batches up to a bound: what limits a topic limits the compressed size alone.

A batch of 200 kB can inflate to 200 MB. Nothing beyond the bound is ever written: each codec writes into a
buffer that ends there, or says first how much it will be.
"""

import gzip
import io
import struct
from collections.abc import Callable, Iterator

import cramjam

from processors.errors import InvalidRecordError

INFLATED_BYTES_MAX = 32 * 1_048_576
"""Most bytes of one batch. Senders bound batches before they compress them, most of them at 1 MiB or less."""
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
"""Codecs in a batch's attributes. Source: https://kafka.apache.org/documentation/#recordbatch"""
XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER_BYTES = 16
Inflate = Callable[[bytes, int], memoryview]


class InflationError(InvalidRecordError):
    """The batch cannot be inflated within the bound."""


def inflate(codec: int, data: bytes, bytes_max: int = INFLATED_BYTES_MAX) -> memoryview:
    """Return the records of a batch, inflated.

    Args:
        codec: GZIP, SNAPPY, LZ4 or ZSTD.
        data: the records as the batch has them.
        bytes_max: most bytes that are written.

    Raises:
        InflationError: they are more than `bytes_max`, or damaged, or of an unknown codec.
    """
    if codec not in INFLATES:
        raise InflationError(f"the batch has codec {codec}, expected 1 (gzip) to 4 (zstd)")
    try:
        return INFLATES[codec](data, bytes_max)
    except Exception as error:
        raise InflationError(
            f"{len(data)} bytes do not inflate within {bytes_max}: {str(error)[:100]}; send smaller batches"
        ) from error


def _gzip(data: bytes, bytes_max: int) -> memoryview:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        inflated = file.read(bytes_max + 1)
    if len(inflated) > bytes_max:
        raise ValueError("there are more")
    return memoryview(inflated)


def _lz4(data: bytes, bytes_max: int) -> memoryview:
    room = bytearray(bytes_max)
    return memoryview(room)[: cramjam.lz4.decompress_into(data, room)]


def _zstd(data: bytes, bytes_max: int) -> memoryview:
    room = bytearray(bytes_max)
    return memoryview(room)[: cramjam.zstd.decompress_into(data, room)]


def _snappy(data: bytes, bytes_max: int) -> memoryview:
    """Each block says first how large it will be."""
    blocks = list(_snappy_blocks(data))
    sizes = [int(cramjam.snappy.decompress_raw_len(block)) for block in blocks]
    if sum(sizes) > bytes_max:
        raise ValueError(f"there are {sum(sizes)}")
    return memoryview(b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks))


def _snappy_blocks(data: bytes) -> Iterator[bytes]:
    """Java clients frame snappy in blocks, each after its length; others send one bare block."""
    if not data.startswith(XERIAL_MAGIC):
        yield data
        return
    start = XERIAL_HEADER_BYTES
    while start < len(data):
        (length,) = struct.unpack_from(">i", data, start)
        if length <= 0:
            raise ValueError(f"a block has {length} bytes")
        yield data[start + 4 : start + 4 + length]
        start += 4 + length


INFLATES: dict[int, Inflate] = {GZIP: _gzip, SNAPPY: _snappy, LZ4: _lz4, ZSTD: _zstd}
