"""Where a record waits, and what its headers carry over."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.disposition import Postpone
from processors.errors import InvalidRecordError
from schemas import failures as names
from schemas.failures import FailureReason
from schemas.headers import text_headers
from streams.engine.records import Attempts, InRecord, OutRecord, Postponement
from streams.engine.tiers import (
    NOT_BEFORE_AHEAD_S_MAX,
    earlier_attempts,
    not_before,
    origin_topic,
    tier_for,
    tier_record,
)
from streams.topics import RETRY_TIERS

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RECORD = InRecord(
    topic="pressline.task.classified.bulk.v1",
    partition=3,
    offset=9,
    key=b"k\xff",
    value=b"\xff\x00",
    headers=(("x", b"\xfe"), (names.RETRY_OF, b"earlier/0/0"), ("x", b"2")),
)


def waiting(delay_s: float = 31.0, at: datetime = NOW, attempts: Attempts | None = None) -> OutRecord:
    postponement = Postponement(
        disposition=Postpone(delay_s, FailureReason.PROVIDER_RATE_LIMITED),
        attempts=attempts or Attempts(counted=1, first_failure=at),
        at=at,
    )
    return tier_record(RECORD, postponement, RETRY_TIERS)


@pytest.mark.parametrize(
    ("delay_s", "tier"),
    [
        (0, "1m"),
        (31, "1m"),
        (60, "1m"),
        (599.9, "1m"),
        (600, "10m"),
        (3599, "10m"),
        (3600, "1h"),
        (1e5, "1h"),
    ],
)
def test_a_tier_is_the_longest_that_is_not_longer_than_the_delay(delay_s: float, tier: str) -> None:
    assert tier_for(delay_s, RETRY_TIERS).topic == f"pressline.retry.{tier}.v1"


@given(st.floats(60, 1e6))
def test_a_tier_never_keeps_a_record_beyond_its_delay(delay_s: float) -> None:
    assert tier_for(delay_s, RETRY_TIERS).length_s <= delay_s


def test_key_value_and_foreign_headers_wait_unchanged() -> None:
    record = waiting()

    assert (record.key, record.value, record.partition) == (RECORD.key, RECORD.value, None)
    assert list(record.headers)[:2] == [("x", b"\xfe"), ("x", b"2")]
    assert [name for name, _ in record.headers].count(names.RETRY_OF) == 1
    assert text_headers(record.headers)[names.RETRY_OF] == f"{RECORD.topic}/3/9"
    assert {name for name, _ in record.headers} == {"x", *names.RETRY_HEADERS} - {names.RETRY_OUTAGE}


@given(MOMENTS, st.floats(0, 86_500))
def test_a_record_is_never_due_early_nor_a_millisecond_late(at: datetime, delay_s: float) -> None:
    due = not_before(text_headers(waiting(delay_s, at).headers), at)

    assert timedelta() <= due - (at + timedelta(seconds=delay_s)) <= timedelta(milliseconds=1)


@pytest.mark.parametrize("away", ["away", ""])
@given(st.integers(0, 999_999), st.integers(0, 999_999), MOMENTS, st.floats(0, 1e6))
def test_what_a_record_has_been_through_comes_back_with_it(
    away: str, counted: int, unavailable: int, first: datetime, later_s: float
) -> None:
    now = first + timedelta(seconds=later_s)
    outage = first if away else None
    attempts = Attempts(counted=counted, unavailable=unavailable, first_failure=first, outage=outage)

    found = earlier_attempts(waiting(at=now, attempts=attempts).headers, now, 5_000.0)

    assert (found.counted, found.unavailable) == (counted, unavailable)
    assert found.first_failure is not None
    assert timedelta() <= first - found.first_failure < timedelta(milliseconds=1)
    assert 5_000.0 - found.first_failure_s == pytest.approx(later_s, abs=0.002)
    assert found.outage == (found.first_failure if away else None)
    assert 5_000.0 - found.outage_s == pytest.approx(later_s if away else 0.0, abs=0.002)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (
            (names.RETRY_ATTEMPTS, b"-1"),
            (names.RETRY_UNAVAILABLE, b"9" * 30),
            (names.RETRY_FIRST_FAILURE, b"x"),
        ),
        ((names.RETRY_UNAVAILABLE, b"9" * 30), (names.RETRY_FIRST_FAILURE, b"9" * 30)),
    ],
)
def test_a_record_that_says_nothing_of_attempts_has_had_none(headers: tuple[tuple[str, bytes], ...]) -> None:
    found = earlier_attempts(headers, NOW, 7.0)

    assert (found.counted, found.unavailable, found.first_failure) == (0, 0, None)


def test_a_first_failure_in_the_future_is_no_time_waited() -> None:
    later_ms = int((NOW + timedelta(hours=1)).timestamp() * 1000)

    found = earlier_attempts(((names.RETRY_FIRST_FAILURE, str(later_ms).encode()),), NOW, 7.0)

    assert found.first_failure_s == 7.0


@given(st.text() | st.from_regex(r"[a-z./-]{0,9}(/[0-9]{0,3}){0,3}", fullmatch=True))
def test_an_origin_is_a_place_or_the_record_is_refused(text: str) -> None:
    with suppress(InvalidRecordError):
        topic = origin_topic({names.RETRY_OF: text})
        partition, offset = text.removeprefix(f"{topic}/").split("/")
        assert partition.isdecimal()
        assert offset.isdecimal()


@given(st.none() | st.text() | st.integers().map(str))
def test_a_time_is_near_or_the_record_is_refused(text: str | None) -> None:
    headers = {} if text is None else {names.RETRY_NOT_BEFORE: text}
    with suppress(InvalidRecordError):
        assert not_before(headers, NOW) <= NOW + timedelta(seconds=NOT_BEFORE_AHEAD_S_MAX)


def test_an_error_says_which_header_is_wrong() -> None:
    with pytest.raises(InvalidRecordError, match="retry-of is 'missing', expected topic/partition/offset"):
        origin_topic({})
    with pytest.raises(InvalidRecordError, match="retry-not-before is 'soon', expected epoch milliseconds"):
        not_before({names.RETRY_NOT_BEFORE: "soon"}, NOW)
