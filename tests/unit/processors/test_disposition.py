"""What follows a failure is bounded in attempts and in time, whatever fails."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors import errors
from processors.disposition import Failures, GiveUp, Retry, RetryPolicy, decide
from processors.errors import PermanentError, ProviderTimeoutError, StoreUnavailableError, TransientError
from schemas.failures import FailureReason

POLICY = RetryPolicy()
JITTER = st.floats(0, 1, exclude_max=True)
COUNTS = st.integers(1, 1_000_000)


def descendants(root: type[Any]) -> list[type[Any]]:
    return [leaf for child in root.__subclasses__() for leaf in (child, *descendants(child))]


def test_every_error_but_an_abandoned_one_has_a_reason() -> None:
    named = [
        error
        for error in descendants(errors.ProcessingError)
        if error not in (TransientError, PermanentError, errors.AbandonedError)
    ]

    assert all(isinstance(error.reason, FailureReason) for error in named)


@given(st.sampled_from(descendants(PermanentError)), COUNTS, JITTER)
def test_permanent_errors_are_never_retried(kind: type[PermanentError], count: int, jitter: float) -> None:
    decided = decide(kind("x"), Failures(attempts=count), POLICY, jitter)

    assert decided == GiveUp(kind.reason, retriable=False)


@given(st.sampled_from([ValueError, KeyError, TimeoutError, OSError, RecursionError]), COUNTS, JITTER)
def test_anything_else_is_a_bug(kind: type[Exception], count: int, jitter: float) -> None:
    decided = decide(kind("x"), Failures(attempts=count), POLICY, jitter)

    assert decided == GiveUp(FailureReason.BUG, retriable=False)


@given(COUNTS, JITTER)
def test_attempts_are_bounded(count: int, jitter: float) -> None:
    decided = decide(ProviderTimeoutError("x"), Failures(attempts=count), POLICY, jitter)

    if count >= POLICY.attempts_max:
        assert decided == GiveUp(FailureReason.PROVIDER_TIMEOUT, retriable=True)
    else:
        assert isinstance(decided, Retry)


@given(COUNTS, JITTER, st.floats(0, 7200))
def test_waits_for_our_own_parts_are_bounded_by_time_alone(
    count: int, jitter: float, waited_s: float
) -> None:
    failures = Failures(attempts=count, unavailable=count, waited=timedelta(seconds=waited_s))

    decided = decide(StoreUnavailableError("x"), failures, POLICY, jitter)

    exhausted = timedelta(seconds=waited_s) >= timedelta(seconds=POLICY.unavailable_s_max)
    assert isinstance(decided, GiveUp) == exhausted


@given(st.integers(1, 5), JITTER, st.none() | st.floats(0, POLICY.retry_after_s_max))
def test_a_delay_is_what_was_asked_for_and_at_most_the_backoff_more(
    count: int, jitter: float, asked_s: float | None
) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)

    decided = decide(error, Failures(attempts=count), POLICY, jitter)

    assert isinstance(decided, Retry)
    ceiling_s = min(POLICY.backoff_s_max, POLICY.backoff_s * 2 ** (count - 1))
    assert (asked_s or 0) <= decided.delay_s <= (asked_s or 0) + ceiling_s


@given(st.floats(POLICY.retry_after_s_max, 1e9, exclude_min=True), JITTER)
def test_a_longer_wait_than_allowed_gives_up(asked_s: float, jitter: float) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)

    assert isinstance(decide(error, Failures(attempts=1), POLICY, jitter), GiveUp)
