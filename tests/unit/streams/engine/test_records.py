"""Records as the engine takes them in."""

import pytest
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


@pytest.mark.parametrize(
    ("headers", "subject"),
    [((), None), ((("ce_subject", None),), None), ((("ce_subject", b"t1"), ("ce_subject", b"t2")), "t1")],
)
def test_a_subject_is_what_the_header_says(
    headers: tuple[tuple[str, bytes], ...], subject: str | None
) -> None:
    record = InRecord(topic="t", partition=0, offset=1, key=None, value=None, headers=headers)

    assert record.subject == subject
