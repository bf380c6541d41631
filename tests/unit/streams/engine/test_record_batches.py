"""Batches are read as aiokafka reads them; one that inflates too far becomes one record that says so."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from schemas.headers import BATCH_OFFSETS, BATCH_REFUSED, text_headers
from streams.engine.inflation import GZIP, INFLATED_BYTES_MAX, LZ4, SNAPPY, ZSTD
from streams.engine.record_batches import BoundedRecords

PLAIN = 0


def a_batch(values: Sequence[bytes], codec: int = PLAIN) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=7,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 30,
    )
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
