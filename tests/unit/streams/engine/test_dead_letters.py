"""A dead letter is the record as it was, with its origin and reason beside it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from processors.disposition import GiveUp
from processors.errors import InvalidInputsError, ProviderTimeoutError
from schemas.base import Stage
from schemas.failures import FailureReason
from streams.engine.dead_letters import dead_letter, fingerprint
from streams.engine.records import Attempts, Failure, InRecord


def failure(error: Exception, attempts: Attempts | None = None) -> Failure:
    return Failure(
        error=error,
        disposition=GiveUp(FailureReason.INVALID_INPUTS, retriable=False),
        attempts=attempts or Attempts(counted=3),
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def record(value: bytes | None = b"v", headers: tuple[tuple[str, bytes], ...] = ()) -> InRecord:
    return InRecord(topic="t", partition=3, offset=42, key=b"k", value=value, headers=headers)


@given(st.none() | st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9))))
def test_key_value_partition_and_headers_are_untouched(
    value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    letter = dead_letter(
        record(value, tuple(headers)), failure(ValueError("x")), stage=Stage.GENERATE, group="g", topic="d"
    )

    assert (letter.key, letter.value, letter.partition) == (b"k", value, 3)
    assert list(letter.headers)[: len(headers)] == headers


def test_the_headers_say_where_from_and_why() -> None:
    letter = dead_letter(
        record(), failure(InvalidInputsError("no city")), stage=Stage.CLASSIFY, group="g", topic="d"
    )

    headers = dict(letter.headers)
    assert headers["__dlq.errors.topic"] == b"t"
    assert headers["__dlq.errors.partition"] == b"3"
    assert headers["__dlq.errors.offset"] == b"42"
    assert headers["__dlq.errors.group"] == b"g"
    assert headers["__dlq.errors.message"] == b"no city"
    assert headers["__dlq.errors.exception.class.name"] == b"InvalidInputsError"
    assert headers["__dlq.errors.reason"] == b"invalid_inputs"
    assert headers["__dlq.errors.retriable"] == b"false"
    assert headers["__dlq.errors.delivery.count"] == b"3"
    assert headers["__dlq.errors.timestamp"] == b"1767312000000"


def test_headers_of_an_earlier_death_are_replaced() -> None:
    earlier = (("__dlq.errors.topic", b"old"), ("trace", b"1"))

    letter = dead_letter(
        record(headers=earlier),
        failure(ProviderTimeoutError("t")),
        stage=Stage.GENERATE,
        group="g",
        topic="d",
    )

    names = [name for name, _ in letter.headers]
    assert names.count("__dlq.errors.topic") == 1
    assert dict(letter.headers)["trace"] == b"1"


def test_failures_of_one_kind_share_a_fingerprint() -> None:
    one = fingerprint("generate", ValueError("row 17 of 'abc' failed"))
    other = fingerprint("generate", ValueError("row 18 of 'xyz' failed"))

    assert one == other
    assert one != fingerprint("validate", ValueError("row 17 of 'abc' failed"))
