"""Records as the engine takes them in."""

from aiokafka import ConsumerRecord

from streams.engine.records import InRecord, in_record


def test_a_consumed_record_is_taken_over_whole() -> None:
    raw = ConsumerRecord(
        topic="t",
        partition=3,
        offset=7,
        timestamp=1_767_323_045_000,
        timestamp_type=0,
        key=b"k",
        value=None,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=0,
        headers=[("ce_id", b"1"), ("ce_id", b"2")],
    )

    assert in_record(raw) == InRecord(
        topic="t",
        partition=3,
        offset=7,
        key=b"k",
        value=None,
        headers=(("ce_id", b"1"), ("ce_id", b"2")),
        timestamp_ms=1_767_323_045_000,
    )
