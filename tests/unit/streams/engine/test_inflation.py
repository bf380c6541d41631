"""Compressed records are inflated up to a bound, and not a byte beyond it is written."""

import gzip
import struct
import tracemalloc
from collections.abc import Callable

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.inflation import GZIP, LZ4, SNAPPY, XERIAL_MAGIC, ZSTD, InflationError, inflate

BOMB_BYTES = 64 * 1_048_576
MOST = 1_048_576
DAMAGED = b"\xff" * 40
Deflate = Callable[[bytes], bytes]


def xerial(data: bytes) -> bytes:
    """Frame snappy as Java clients do: after a header, each block after its length."""
    blocks = [cramjam.snappy.compress_raw(data[at : at + 32_768]) for at in range(0, len(data), 32_768)]
    framed = b"".join(struct.pack(">i", len(block)) + bytes(block) for block in blocks)
    return XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01" + framed


CODECS: dict[str, tuple[int, Deflate]] = {
    "gzip": (GZIP, gzip.compress),
    "snappy": (SNAPPY, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy of Java": (SNAPPY, xerial),
    "lz4": (LZ4, lambda data: bytes(cramjam.lz4.compress(data))),
    "zstd": (ZSTD, lambda data: bytes(cramjam.zstd.compress(data))),
}


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> tuple[int, Deflate]:
    return CODECS[request.param]


@given(name=st.sampled_from(sorted(CODECS)), data=st.binary(max_size=100_000))
def test_what_fits_comes_back(name: str, data: bytes) -> None:
    number, deflate = CODECS[name]

    assert bytes(inflate(number, deflate(data), 100_000)) == data


def test_the_bound_is_exact(codec: tuple[int, Deflate]) -> None:
    number, deflate = codec
    data = deflate(b"x" * MOST)

    assert len(inflate(number, data, MOST)) == MOST
    with pytest.raises(InflationError, match=f"within {MOST - 1}"):
        inflate(number, data, MOST - 1)


def test_of_a_bomb_no_more_than_the_bound_is_written(codec: tuple[int, Deflate]) -> None:
    number, deflate = codec
    bomb = deflate(bytes(BOMB_BYTES))

    tracemalloc.start()
    try:
        with pytest.raises(InflationError):
            inflate(number, bomb, MOST)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < len(bomb) + 4 * MOST


def test_damaged_records_are_an_error_of_the_record(codec: tuple[int, Deflate]) -> None:
    with pytest.raises(InflationError):
        inflate(codec[0], DAMAGED, MOST)


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(InflationError, match="codec 7"):
        inflate(7, b"", MOST)
