"""Dead letters parse whatever stands in the topic, and are filtered and grouped by what their headers say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_classified, a_task
from processors.disposition import GiveUp
from processors.errors import InvalidInputsError, ProviderTimeoutError
from schemas.base import Stage
from schemas.codec import encode
from schemas.failures import FailureReason
from streams.dead_letters import UNKNOWN, DeadLetter, Groups, Position, Wanted, parse
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Attempts, Failure, InRecord

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ORIGIN = "pressline.task.classified.bulk.v1"
DEAD = "pressline.generate.dead.v1"


def a_letter(
    error: Exception | None = None,
    *,
    reason: FailureReason = FailureReason.PROVIDER_TIMEOUT,
    at: datetime = AT,
    offset: int = 0,
    value: bytes | None = None,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> DeadLetter:
    record = InRecord(
        topic=ORIGIN,
        partition=1,
        offset=42,
        key=b"k",
        value=encode(a_classified()) if value is None else value,
        headers=headers,
    )
    failure = Failure(
        error=error or ProviderTimeoutError("no answer in 30 s"),
        disposition=GiveUp(reason, retriable=True),
        attempts=Attempts(counted=3, first_failure=at - timedelta(minutes=1)),
        at=at,
    )
    out = dead_letter(record, failure, stage=Stage.GENERATE, group="pressline-generate", topic=DEAD)
    return parse(Position(DEAD, 1, offset), out.key, out.value, out.headers, AT)


def test_a_letter_says_where_from_when_and_why() -> None:
    letter = a_letter(headers=(("replay-count", b"2"),))

    assert letter.origin == Position(ORIGIN, 1, 42)
    assert (letter.stage, letter.reason) == (Stage.GENERATE, "provider_timeout")
    assert (letter.error_class, letter.message) == ("ProviderTimeoutError", "no answer in 30 s")
    assert (letter.attempts, letter.retriable, letter.replay_count) == (3, True, 2)
    assert (letter.at, letter.first_failure) == (AT, AT - timedelta(minutes=1))
    assert letter.batch_id == "batch-1"


def test_a_foreign_record_is_a_letter_of_which_little_is_known() -> None:
    letter = parse(Position(DEAD, 0, 0), None, None, (), AT)

    assert (letter.reason, letter.error_class, letter.fingerprint) == (UNKNOWN, UNKNOWN, UNKNOWN)
    assert (letter.origin, letter.attempts, letter.batch_id) == (None, None, None)
    assert letter.at == AT


NAMES = st.sampled_from(
    [
        *(f"__dlq.errors.{name}" for name in ("topic", "partition", "offset", "timestamp", "attempts")),
        "__dlq.errors.first.failure",
        "replay-count",
    ]
)
NUMBERS = st.integers(min_value=0).map(lambda number: str(number).encode())


@given(
    st.none() | st.binary(max_size=50),
    st.lists(st.tuples(NAMES | st.text(max_size=8), st.none() | st.binary(max_size=9) | NUMBERS)),
)
def test_no_header_and_no_value_can_break_the_reading(
    value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    letter = parse(Position(DEAD, 0, 0), None, value, headers, AT)

    assert letter.value == value
    assert letter.batch_id is None
    assert letter.headers == tuple(headers)


@pytest.mark.parametrize("value", [b"[]", b'"x"', b'{"task": 1}', b'{"task": {"batch_id": 7}}', b"\xff"])
def test_a_value_that_is_no_event_belongs_to_no_load(value: bytes) -> None:
    assert a_letter(value=value).batch_id is None


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(stage=Stage.GENERATE),
        Wanted(reason="provider_timeout"),
        Wanted(error_class="ProviderTimeoutError"),
        Wanted(fingerprint=a_letter().fingerprint),
        Wanted(batch_id="batch-1"),
        Wanted(since=AT),
        Wanted(positions=frozenset((Position(DEAD, 1, 0),))),
    ],
)
def test_each_filter_lets_its_own_through(wanted: Wanted) -> None:
    assert wanted.includes(a_letter())


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(stage=Stage.PUBLISH),
        Wanted(reason="bug"),
        Wanted(error_class="ValueError"),
        Wanted(fingerprint="0" * 12),
        Wanted(batch_id="batch-2"),
        Wanted(since=AT + timedelta(seconds=1)),
        Wanted(positions=frozenset((Position(DEAD, 1, 1),))),
        Wanted(stage=Stage.GENERATE, reason="bug"),
    ],
)
def test_each_filter_stops_the_others(wanted: Wanted) -> None:
    assert not wanted.includes(a_letter())


def test_what_the_redelivery_gave_up_on_is_found_under_its_name() -> None:
    letter = parse(Position("pressline.redelivery.dead.v1", 0, 0), None, b"x", (), AT)

    assert letter.stage == "redelivery"
    assert Wanted(stage="redelivery").includes(letter)


def test_letters_that_differ_in_values_only_are_one_group() -> None:
    groups = Groups()
    late = AT + timedelta(hours=1)
    for letter in (
        a_letter(ProviderTimeoutError("no answer in 30 s")),
        a_letter(ProviderTimeoutError("no answer in 31 s"), at=late, offset=7),
        a_letter(InvalidInputsError("no city"), reason=FailureReason.INVALID_INPUTS),
    ):
        groups.add(letter)

    timeouts, inputs = groups.largest_first()

    assert (timeouts.count, timeouts.first_at, timeouts.sample.at) == (2, AT, late)
    assert timeouts.sample.message == "no answer in 31 s"
    assert timeouts.sample.position.offset == 7
    assert timeouts.sample.value is None
    assert (inputs.count, inputs.sample.reason) == (1, "invalid_inputs")


def test_a_letter_of_another_load_is_told_apart_by_its_value() -> None:
    other = a_letter(value=encode(a_classified(task=a_task(batch_id="batch-2"))))

    assert Wanted(batch_id="batch-2").includes(other)
    assert not Wanted(batch_id="batch-1").includes(other)
