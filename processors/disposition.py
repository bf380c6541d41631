"""What happens after a failure: the one place that decides."""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from processors.errors import (
    BudgetExhaustedError,
    LimitWaitError,
    ProcessingError,
    ScopeClosedError,
    StoreUnavailableError,
    TransientError,
    UnavailableError,
)
from schemas.failures import FailureReason

RETRY_AFTER_S_MAX = 86_400.0
CLOSED = (ScopeClosedError, LimitWaitError, BudgetExhaustedError)
"""What is closed on purpose, for a while that is known or decided by a person."""
DEADLINE_S = 1.0
"""Clocks of two machines differ by less. A task that comes back before its deadline would be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounds on the retries of one record.

    Attributes:
        attempts_max: attempts in all, the first included; waits for Pressline's own parts do not count.
        backoff_s: upper end of the first delay in seconds; it doubles with each attempt.
        backoff_s_max: upper end of a delay in seconds.
        outage_backoff_s_max: the same while the database is away: by then windows are better left to others.
        retry_after_s_max: longest wait that the other side may ask for, in seconds; a longer one gives up.
        closed_s_max: seconds that a record waits for a closed scope, a limit or a budget before it gives up.
        unavailable_s_max: seconds of an outage after which the next failure in it gives up.
        window_s_max: a wait of so many seconds or more is postponed; a shorter one is spent in the window.
    """

    attempts_max: int = 6
    backoff_s: float = 0.5
    backoff_s_max: float = 20.0
    outage_backoff_s_max: float = 600.0
    retry_after_s_max: float = RETRY_AFTER_S_MAX
    closed_s_max: float = 7 * 86_400.0
    unavailable_s_max: float = 3600.0
    window_s_max: float = 30.0

    def in_place(self) -> Self:
        """Return the same bounds for a stage that keeps the order of keys: every wait is in the window."""
        return replace(self, window_s_max=math.inf, outage_backoff_s_max=self.backoff_s_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What a record has been through.

    Attributes:
        attempts: failed attempts that count, the present one included when it counts.
        unavailable: failures for want of Pressline's own parts, the present one included.
        waited: time since the first failure.
        outage: time since the first failure of the present outage; see `is_outage`.
        expires_in: time until the task's deadline, negative after it; None without one.
    """

    attempts: int = 0
    unavailable: int = 0
    waited: timedelta = timedelta()
    outage: timedelta = timedelta()
    expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_s` seconds, which the record spends in its window."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Postpone:
    """Try again after `delay_s` seconds, which the record spends in a retry topic; `reason` says why."""

    delay_s: float
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead-letter the record for `reason`; `retriable` says whether a replay can help without any change."""

    reason: FailureReason
    retriable: bool


Disposition = Retry | Postpone | GiveUp


def decide(error: Exception, failures: Failures, policy: RetryPolicy, jitter: float) -> Disposition:
    """Decide what follows a failure.

    Args:
        error: what was raised.
        failures: what the record has been through, this failure included.
        policy: the bounds.
        jitter: a uniform draw from [0, 1): full jitter spreads retries over the whole delay.
            Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Returns:
        Retry or Postpone with a delay, which ends with the task's deadline: the stage then says that it is
        expired. Or GiveUp with the reason.
    """
    if not isinstance(error, ProcessingError):
        return GiveUp(FailureReason.BUG, retriable=False)
    if not isinstance(error, TransientError):
        return GiveUp(error.reason, retriable=False)
    asked_s = error.retry_after_s or 0.0
    if asked_s > policy.retry_after_s_max or _exhausted(error, failures, policy):
        return GiveUp(error.reason, retriable=True)
    delay_s = _until_deadline(asked_s + jitter * _backoff_s(error, failures, policy), failures)
    return Retry(delay_s) if delay_s < policy.window_s_max else Postpone(delay_s, error.reason)


def _backoff_s(error: TransientError, failures: Failures, policy: RetryPolicy) -> float:
    count = failures.unavailable if isinstance(error, UnavailableError) else failures.attempts
    outage = isinstance(error, StoreUnavailableError)
    most_s = policy.outage_backoff_s_max if outage else policy.backoff_s_max
    return min(most_s, policy.backoff_s * 2.0 ** min(count - 1, 32))


def _until_deadline(delay_s: float, failures: Failures) -> float:
    if failures.expires_in is None or failures.expires_in <= timedelta():
        return delay_s
    return min(delay_s, failures.expires_in.total_seconds() + DEADLINE_S)


def is_outage(error: Exception) -> bool:
    """Return whether one of Pressline's own parts is away; not one that is closed on purpose."""
    return isinstance(error, UnavailableError) and not isinstance(error, CLOSED)


def _exhausted(error: TransientError, failures: Failures, policy: RetryPolicy) -> bool:
    if isinstance(error, CLOSED):
        return failures.waited >= timedelta(seconds=policy.closed_s_max)
    if is_outage(error):
        return failures.outage >= timedelta(seconds=policy.unavailable_s_max)
    return failures.attempts >= policy.attempts_max
