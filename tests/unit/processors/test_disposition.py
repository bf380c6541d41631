"""What follows a failure is bounded in attempts and in time, whatever fails."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors import errors
from processors.disposition import DEADLINE_S, Failures, GiveUp, Postpone, Retry, RetryPolicy, decide
from processors.errors import (
    BudgetExhaustedError,
    ClaimedElsewhereError,
    LimitWaitError,
    PermanentError,
    ProviderTimeoutError,
    ScopeClosedError,
    StoreUnavailableError,
    TransientError,
)
from schemas.failures import FailureReason
from schemas.scope import Scope, ScopeKind

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
        assert isinstance(decided, Retry | Postpone)


@given(COUNTS, JITTER, st.floats(0, 7200))
def test_waits_for_our_own_parts_are_bounded_by_time_alone(
    count: int, jitter: float, waited_s: float
) -> None:
    away = timedelta(seconds=waited_s)
    failures = Failures(attempts=count, unavailable=count, waited=timedelta(days=6), outage=away)

    decided = decide(StoreUnavailableError("x"), failures, POLICY, jitter)

    exhausted = away >= timedelta(seconds=POLICY.unavailable_s_max)
    assert isinstance(decided, GiveUp) == exhausted


@given(st.integers(1, 5), JITTER, st.none() | st.floats(0, POLICY.retry_after_s_max))
def test_a_delay_is_what_was_asked_for_and_at_most_the_backoff_more(
    count: int, jitter: float, asked_s: float | None
) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)

    decided = decide(error, Failures(attempts=count), POLICY, jitter)

    assert isinstance(decided, Retry | Postpone)
    ceiling_s = min(POLICY.backoff_s_max, POLICY.backoff_s * 2 ** (count - 1))
    assert (asked_s or 0) <= decided.delay_s <= (asked_s or 0) + ceiling_s


@given(st.floats(POLICY.retry_after_s_max, 1e9, exclude_min=True), JITTER)
def test_a_longer_wait_than_allowed_gives_up(asked_s: float, jitter: float) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)

    assert isinstance(decide(error, Failures(attempts=1), POLICY, jitter), GiveUp)


@given(st.integers(1, 5), JITTER, st.floats(0, POLICY.retry_after_s_max))
def test_a_wait_of_thirty_seconds_or_more_leaves_the_window(
    count: int, jitter: float, asked_s: float
) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)

    decided = decide(error, Failures(attempts=count), POLICY, jitter)

    assert not isinstance(decided, GiveUp)
    assert isinstance(decided, Postpone) == (decided.delay_s >= 30.0)


@given(st.integers(1, 5), JITTER, st.floats(0, POLICY.retry_after_s_max))
def test_in_place_every_wait_is_in_the_window(count: int, jitter: float, asked_s: float) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)

    assert isinstance(decide(error, Failures(attempts=count), POLICY.in_place(), jitter), Retry)
    away = decide(StoreUnavailableError("x"), Failures(unavailable=count), POLICY.in_place(), jitter)
    assert isinstance(away, Retry)
    assert away.delay_s <= POLICY.backoff_s_max


def test_a_long_outage_of_the_database_empties_the_windows_in_proportion_to_what_it_has_lasted() -> None:
    waits_s = [
        decided.delay_s
        for count in range(1, 14)
        if not isinstance(
            decided := decide(StoreUnavailableError("x"), Failures(unavailable=count), POLICY, 0.999), GiveUp
        )
    ]

    assert [round(wait_s) for wait_s in waits_s[5:]] == [16, 32, 64, 128, 256, 511, 599, 599]
    assert all(wait_s <= sum(waits_s[:number]) + 1 for number, wait_s in enumerate(waits_s))


@given(st.sampled_from([LimitWaitError, ClaimedElsewhereError]), COUNTS, JITTER)
def test_waits_for_a_turn_stay_in_the_window(kind: type[TransientError], count: int, jitter: float) -> None:
    """They are no outage: who waits elsewhere would miss the turn."""
    decided = decide(kind("x"), Failures(unavailable=count), POLICY, jitter)

    assert isinstance(decided, Retry)


@given(JITTER, st.floats(0, POLICY.retry_after_s_max), st.floats(0.001, 90_000))
def test_no_wait_goes_on_beyond_the_deadline(jitter: float, asked_s: float, left_s: float) -> None:
    error = ProviderTimeoutError("x", retry_after_s=asked_s)
    without = decide(error, Failures(attempts=1), POLICY, jitter)

    decided = decide(error, Failures(attempts=1, expires_in=timedelta(seconds=left_s)), POLICY, jitter)

    assert not isinstance(without, GiveUp)
    assert not isinstance(decided, GiveUp)
    assert decided.delay_s <= left_s + DEADLINE_S + 1e-6
    assert decided.delay_s == without.delay_s or decided.delay_s > left_s


def test_after_its_deadline_a_task_is_tried_again_with_pauses() -> None:
    """The registry may be away that knows whether the page was published in time."""
    failures = Failures(unavailable=3, expires_in=timedelta(seconds=-1))

    assert decide(StoreUnavailableError("x"), failures, POLICY, 0.5) == Retry(1.0)


def test_a_closed_scope_is_waited_for_far_longer_than_a_part_that_is_away() -> None:
    closed = ScopeClosedError(Scope(ScopeKind.PROVIDER, "openai"), "outage", retry_after_s=2.0)
    day = Failures(unavailable=900, waited=timedelta(days=1))
    week = Failures(unavailable=9000, waited=timedelta(days=7))

    assert decide(closed, day, RetryPolicy(), jitter=0.0) == Retry(2.0)
    assert decide(closed, week, RetryPolicy(), jitter=0.0) == GiveUp(
        FailureReason.SCOPE_CLOSED, retriable=True
    )


def test_an_empty_budget_is_waited_for_as_long_as_a_closed_scope() -> None:
    empty = BudgetExhaustedError("x", retry_after_s=3600.0)
    days = timedelta(seconds=POLICY.closed_s_max)

    waiting = decide(empty, Failures(unavailable=9, waited=days - timedelta(seconds=1)), POLICY, 0.0)

    assert waiting == Postpone(3600.0, FailureReason.BUDGET_EXCEEDED)
    assert decide(empty, Failures(unavailable=9, waited=days), POLICY, 0.0) == GiveUp(
        FailureReason.BUDGET_EXCEEDED, retriable=True
    )


def test_an_empty_budget_is_waited_for_until_the_deadline_only() -> None:
    empty = BudgetExhaustedError("x", retry_after_s=3600.0)

    decided = decide(empty, Failures(unavailable=1, expires_in=timedelta(seconds=60)), POLICY, 0.0)

    assert decided == Postpone(60.0 + DEADLINE_S, FailureReason.BUDGET_EXCEEDED)


def test_a_turn_at_a_slow_provider_is_waited_for_as_long_as_it_takes() -> None:
    """It is no failure: a backlog that a limit of few calls a minute holds up may take days."""
    day = Failures(unavailable=900, waited=timedelta(days=1))

    assert not isinstance(decide(LimitWaitError("no turn"), day, RetryPolicy(), jitter=0.5), GiveUp)


def test_a_record_that_found_no_turn_in_a_long_pause_is_postponed_until_its_end() -> None:
    error = LimitWaitError("no turn", retry_after_s=250.0)

    decided = decide(error, Failures(unavailable=1), RetryPolicy(), jitter=0.0)

    assert decided == Postpone(250.0, FailureReason.PROVIDER_RATE_LIMITED)
