"""What happens after a failure: the one place that decides."""

from dataclasses import dataclass
from datetime import timedelta

from processors.errors import ProcessingError, TransientError, UnavailableError
from schemas.failures import FailureReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounds on the retries of one record.

    Attributes:
        attempts_max: attempts in all, the first included; waits for Pressline's own parts do not count.
        backoff_s: upper end of the first delay in seconds; it doubles with each attempt.
        backoff_s_max: upper end of every delay in seconds.
        retry_after_s_max: longest wait that the other side may ask for, in seconds; a longer one gives up.
        unavailable_s_max: how long a record waits for Pressline's own parts, in seconds.
    """

    attempts_max: int = 6
    backoff_s: float = 0.5
    backoff_s_max: float = 20.0
    retry_after_s_max: float = 300.0
    unavailable_s_max: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What a record has been through.

    Attributes:
        attempts: failed attempts that count, the present one included when it counts.
        unavailable: failures for want of Pressline's own parts, the present one included.
        waited: time since the first failure.
    """

    attempts: int = 0
    unavailable: int = 0
    waited: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead-letter the record for `reason`; `retriable` says whether a replay can help without any change."""

    reason: FailureReason
    retriable: bool


def decide(error: Exception, failures: Failures, policy: RetryPolicy, jitter: float) -> Retry | GiveUp:
    """Decide what follows a failure.

    Args:
        error: what was raised.
        failures: what the record has been through, this failure included.
        policy: the bounds.
        jitter: a uniform draw from [0, 1): full jitter spreads retries over the whole delay.
            Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Returns:
        Retry with a delay, or GiveUp with the reason.
    """
    if not isinstance(error, ProcessingError):
        return GiveUp(FailureReason.BUG, retriable=False)
    if not isinstance(error, TransientError):
        return GiveUp(error.reason, retriable=False)
    asked_s = error.retry_after_s or 0.0
    if asked_s > policy.retry_after_s_max or _exhausted(error, failures, policy):
        return GiveUp(error.reason, retriable=True)
    count = failures.unavailable if isinstance(error, UnavailableError) else failures.attempts
    ceiling_s = min(policy.backoff_s_max, policy.backoff_s * 2.0 ** min(count - 1, 32))
    return Retry(asked_s + jitter * ceiling_s)


def _exhausted(error: TransientError, failures: Failures, policy: RetryPolicy) -> bool:
    if isinstance(error, UnavailableError):
        return failures.waited >= timedelta(seconds=policy.unavailable_s_max)
    return failures.attempts >= policy.attempts_max
