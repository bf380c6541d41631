"""CloudEvents headers: written as they are read, wrong ones refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import InvalidMessageError
from schemas.failures import REPLAY_COUNT, RETRY_HEADERS
from schemas.headers import HEADER_BYTES_MAX, HEADERS_MAX, EventHeaders, parse, replay_count, text_headers

TYPE = "pressline.task.submitted.v1"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


def some_headers(**changes: bytes | None) -> list[tuple[str, bytes]]:
    made = EventHeaders(id="1", type=TYPE, source="urn:test", time=None, subject="t").to_record()
    changed = {name.replace("__", "-"): value for name, value in changes.items()}
    kept = [(name, value) for name, value in made if name not in changed]
    return kept + [(name, value) for name, value in changed.items() if value is not None]


@given(
    TEXT,
    TEXT,
    st.text(st.characters(codec="utf-8"), max_size=50),
    st.none() | TIMES,
    st.sampled_from([None, TRACE]),
    st.integers(0, 9999),
)
def test_what_is_written_is_read(
    identity: str, source: str, subject: str, time: datetime | None, trace: str | None, replay: int
) -> None:
    headers = EventHeaders(
        id=identity, type=TYPE, source=source, time=time, subject=subject, traceparent=trace, replay=replay
    )

    assert parse(headers.to_record(), TYPE) == headers


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_type", "ce_source"])
@pytest.mark.parametrize("value", [None, b""])
def test_a_required_attribute_must_be_there(name: str, value: bytes | None) -> None:
    with pytest.raises(InvalidMessageError, match=name):
        parse(some_headers(**{name: value}), TYPE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_type", b"pressline.task.submitted.v2"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-01-02T03:04:05"),
        ("content__type", b"application/avro"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(InvalidMessageError, match=name.replace("__", "-")):
        parse(some_headers(**{name: value}), TYPE)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        b"\xff",
    ],
)
def test_a_malformed_trace_context_is_dropped(value: bytes) -> None:
    assert parse(some_headers(traceparent=value), TYPE).traceparent is None


def test_headers_are_bounded_in_number_and_size() -> None:
    for extra in ([("x", b"")] * HEADERS_MAX, [("x", b"a" * (HEADER_BYTES_MAX + 1))]):
        with pytest.raises(InvalidMessageError, match="headers"):
            parse([*some_headers(), *extra], TYPE)


def test_what_a_wait_in_a_retry_topic_adds_makes_no_record_too_long() -> None:
    full = [*some_headers(), *[("x", b"")] * (HEADERS_MAX - len(some_headers()))]

    waited = parse([*full, *((name, b"1") for name in RETRY_HEADERS)], TYPE)

    assert waited == parse(full, TYPE)


def test_of_a_repeated_name_the_last_wins_and_no_bytes_break_it() -> None:
    assert text_headers([("a", b"1"), ("a", b"2"), ("b", None), ("c", b"\xff")]) == {
        "a": "2",
        "b": "",
        "c": "\N{REPLACEMENT CHARACTER}",
    }


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("12", 12), ("-1", 0), ("", 0), ("x", 0), ("99999", 0)]
)
def test_what_is_no_replay_count_is_none(text: str, count: int) -> None:
    assert replay_count({REPLAY_COUNT: text}) == count
