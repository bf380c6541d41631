"""Batches are read as aiokafka reads them; one that inflates too far becomes one record that says so."""

import gzip
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from schemas.headers import BATCH_OFFSETS, BATCH_REFUSED, text_headers
from streams.engine.inflation import GZIP, INFLATED_BYTES_MAX, LZ4, SNAPPY, ZSTD
from streams.engine.record_batches import (
    ATTRIBUTES_AT,
    HEADER_BYTES,
    LENGTH_AT,
    LENGTH_FROM,
    BoundedRecords,
)

PLAIN = 0


def a_builder(codec: int = PLAIN) -> DefaultRecordBatchBuilder:
    return DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=7,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 30,
    )


def a_batch(values: Sequence[bytes], codec: int = PLAIN) -> bytes:
    builder = a_builder(codec)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=1000 + offset, key=b"k", value=value, headers=[("h", b"\xff")])
    return bytes(builder.build())


def records(reader: Any) -> Iterator[tuple[Any, ...]]:
    while reader.has_next():
        batch = reader.next_batch()
        assert batch.validate_crc()
        for one in batch:
            yield batch.producer_id, one.offset, one.timestamp, one.key, one.value, tuple(one.headers)


@pytest.mark.parametrize("codec", [PLAIN, GZIP, SNAPPY, LZ4, ZSTD])
def test_records_are_those_that_aiokafka_reads(codec: int) -> None:
    data = a_batch([b"one", b"two" * 1000, b""], codec) + a_batch([b"four"]) + a_batch([b"five"], codec)
    begun = data + a_batch([b"cut off"], codec)[:30]

    found = list(records(BoundedRecords(begun)))

    assert found == list(records(MemoryRecords(data)))
    assert BoundedRecords(begun).size_in_bytes() == len(begun)


@pytest.mark.parametrize("codec", [PLAIN, GZIP])
def test_a_header_name_that_is_not_utf_8_has_question_marks_and_all_else_is_as_it_was(
    codec: int,
) -> None:
    plain = named([b"a", b"NA\xe9\xffME", b"c"])
    data = plain if codec == PLAIN else compressed(plain)
    with pytest.raises(UnicodeDecodeError):
        list(MemoryRecords(plain).next_batch())

    found = [(r.offset, r.key, r.value, list(r.headers)) for r in BoundedRecords(data).next_batch()]

    assert found == [
        (0, None, b"a", [("h", b"\xff"), ("a", None)]),
        (1, None, b"NA\xe9\xffME", [("h", b"\xff"), ("NA??ME", None)]),
        (2, None, b"c", [("h", b"\xff"), ("c", None)]),
    ]


def named(names: Sequence[bytes]) -> bytes:
    """A batch of a record for each name: its value, and that of a header."""
    builder = a_builder()
    for offset, name in enumerate(names):
        as_long = "n" * len(name)
        builder.append(offset, timestamp=1, key=None, value=name, headers=[("h", b"\xff"), (as_long, None)])
    data = bytes(builder.build())
    for name in names:
        data = data.replace(b"n" * len(name) + b"\x01", name + b"\x01", 1)
    return data


def compressed(plain: bytes) -> bytes:
    """The same batch with its records compressed; its checksum is of no matter here."""
    records = gzip.compress(plain[HEADER_BYTES:])
    header = bytearray(plain[:HEADER_BYTES])
    struct.pack_into(">i", header, LENGTH_AT, HEADER_BYTES - LENGTH_FROM + len(records))
    struct.pack_into(">h", header, ATTRIBUTES_AT, GZIP)
    return bytes(header) + records


def test_a_batch_that_inflates_too_far_is_one_record_at_its_last_offset_and_others_go_on() -> None:
    bomb = a_batch([b"small", bytes(INFLATED_BYTES_MAX)], GZIP)

    reader = BoundedRecords(bomb + a_batch([b"next"]))
    refused = list(reader.next_batch())
    [after] = list(reader.next_batch())

    [record] = refused
    headers = text_headers(record.headers)
    assert (record.offset, record.key, record.value, headers[BATCH_OFFSETS]) == (1, None, bomb, "0-1")
    assert f"within {INFLATED_BYTES_MAX}" in headers[BATCH_REFUSED]
    assert (after.value, reader.has_next()) == (b"next", False)
