"""Whether and when a refused call is tried again: the provider's word first, then its times, then our own."""

from typing import Any

import pytest

from builders import NOW
from fakes.transport import a_problem
from processors.disposition import Failures, GiveUp, Retry, RetryPolicy, decide
from processors.errors import (
    ProcessingError,
    ProviderGaveUpError,
    ProviderQuotaError,
    ProviderRejectedError,
    ProviderUnauthorizedError,
)
from processors.gateway.http_errors import http_error
from schemas.failures import FailureReason

POLICY = RetryPolicy()
ALL = {"x_should_retry": "true", "retry_after_ms": "1500", "retry_after": "9"}


def refused(status: int, *, code: str | None = None, **headers: Any) -> ProcessingError:
    return http_error("p", a_problem(status, code=code, **headers), (code,), NOW)


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [(ALL, 1.5), ({**ALL, "retry_after_ms": "soon"}, 9.0), ({"x_should_retry": "true"}, 0.0), ({}, 0.0)],
)
def test_the_first_time_that_is_stated_counts_and_jitter_is_spread_over_the_whole_backoff(
    headers: dict[str, str], asked_s: float
) -> None:
    error = refused(503, **headers)
    third = Failures(attempts=3)

    assert decide(error, third, POLICY, 0.0) == Retry(asked_s)
    assert decide(error, third, POLICY, 0.5) == Retry(asked_s + POLICY.backoff_s * 2)


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
def test_the_providers_no_stands_above_its_times_and_its_status(status: int) -> None:
    error = refused(status, **{**ALL, "x_should_retry": "false"})

    assert isinstance(error, ProviderGaveUpError)
    assert decide(error, Failures(attempts=1), POLICY, 0.5) == GiveUp(
        FailureReason.PROVIDER_REJECTED, retriable=False
    )


@pytest.mark.parametrize(("status", "code"), [(401, None), (403, None), (400, "API_KEY_INVALID")])
def test_a_wrong_key_is_told_from_a_bad_request(status: int, code: str | None) -> None:
    assert type(refused(status, code=code)) is ProviderUnauthorizedError


def test_the_providers_yes_stands_above_its_status() -> None:
    assert decide(refused(400, **ALL), Failures(attempts=1), POLICY, 0.0) == Retry(1.5)
    assert type(refused(400)) is ProviderRejectedError


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "insufficient_quota"),
        (402, None),
        (400, "credit_balance_too_low"),
        (429, "insufficient_balance_error"),
    ],
)
def test_an_exhausted_quota_is_never_tried_again_whatever_the_headers_say(
    status: int, code: str | None
) -> None:
    error = refused(status, code=code, **ALL)

    assert isinstance(error, ProviderQuotaError)
    assert decide(error, Failures(attempts=1), POLICY, 0.5) == GiveUp(
        FailureReason.PROVIDER_QUOTA, retriable=False
    )
