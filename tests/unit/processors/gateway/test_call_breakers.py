"""What a call's outcome says of its provider and of its model."""

import contextlib

import pytest

from processors.breakers import BreakerRules, Breakers
from processors.errors import (
    ProcessingError,
    ProviderMalformedError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnauthorizedError,
    ProviderUnavailableError,
    ScopeClosedError,
    StoreUnavailableError,
)
from processors.gateway.call_breakers import CallBreakers
from schemas.scope import Scope, ScopeKind

OPENAI = Scope(ScopeKind.PROVIDER, "openai")
NANO, PRO = Scope(ScopeKind.MODEL, "nano"), Scope(ScopeKind.MODEL, "pro")
RULES = BreakerRules(outcomes=4, open_s=10.0, probes=1)


class Rig:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.inner = Breakers(RULES, lambda: self.now_s)
        self.breakers = CallBreakers(self.inner)

    def call(self, error: ProcessingError | None = None, model: Scope = NANO) -> None:
        with contextlib.suppress(ProcessingError), self.breakers.admitted(OPENAI, model) as answered:
            if error is not None:
                raise error
            answered()

    @property
    def open(self) -> set[Scope]:
        return set(self.inner.open)


@pytest.mark.parametrize(
    ("error", "opened"),
    [
        (ProviderTimeoutError("x"), {OPENAI}),
        (ProviderUnavailableError("x"), {OPENAI}),
        (ProviderQuotaError("x"), {OPENAI}),
        (ProviderUnauthorizedError("x"), {OPENAI}),
        (ProviderMalformedError("x"), {NANO}),
        (ProviderRateLimitedError("x"), set()),
        (ProviderRejectedError("x"), set()),
        (ProviderRefusedError("x"), set()),
        (StoreUnavailableError("x"), set()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_failure_counts_against_whose_it_is(error: ProcessingError, opened: set[Scope]) -> None:
    rig = Rig()

    for _ in range(2 * RULES.outcomes):
        rig.call(error)

    assert rig.open == opened


def test_one_model_that_fails_is_left_alone_while_the_others_of_its_provider_answer() -> None:
    rig = Rig()

    for number in range(40):
        rig.call(ProviderUnavailableError("x") if number % 4 == 0 else None, NANO if number % 4 == 0 else PRO)

    assert rig.open == {NANO}


def test_a_provider_that_is_open_takes_the_blame_off_its_models() -> None:
    rig = Rig()
    for _ in range(RULES.outcomes):
        rig.call(ProviderUnavailableError("x"))

    rig.inner.reset(OPENAI)

    assert rig.breakers.refusal((OPENAI, NANO)) is None


def test_a_failure_that_opens_its_breaker_says_when_it_is_probed() -> None:
    rig = Rig()
    for _ in range(RULES.outcomes - 1):
        rig.call(ProviderQuotaError("no credit"))

    with (
        pytest.raises(ScopeClosedError, match="provider openai: 4 of the last 4 failed") as raised,
        rig.breakers.admitted(OPENAI, NANO),
    ):
        raise ProviderQuotaError("no credit")

    assert (raised.value.scope, raised.value.retry_after_s) == (OPENAI, RULES.open_s)
    assert isinstance(raised.value.__cause__, ProviderQuotaError)


def half_open() -> Rig:
    rig = Rig()
    for _ in range(RULES.outcomes):
        rig.call(ProviderUnavailableError("x"))
    rig.now_s += RULES.open_s
    return rig


def test_a_probe_that_fails_is_an_attempt_of_its_record() -> None:
    """A record that always fails would else keep its breaker open, and wait, for as long as it is alone."""
    rig = half_open()

    with pytest.raises(ProviderUnavailableError), rig.breakers.admitted(OPENAI, NANO):
        raise ProviderUnavailableError("x")

    assert rig.open == {OPENAI}


def test_a_probe_that_the_account_fails_costs_its_record_nothing() -> None:
    rig = half_open()

    with pytest.raises(ScopeClosedError), rig.breakers.admitted(OPENAI, NANO):
        raise ProviderQuotaError("no credit")


def test_before_it_opens_a_failure_stays_what_it_is() -> None:
    with pytest.raises(ProviderQuotaError), Rig().breakers.admitted(OPENAI, NANO):
        raise ProviderQuotaError("no credit")


def test_a_refusal_is_an_answer_and_closes_a_half_open_breaker() -> None:
    rig = Rig()
    for _ in range(RULES.outcomes):
        rig.call(ProviderUnavailableError("x"))
    rig.now_s += RULES.open_s

    rig.call(ProviderRefusedError("no"))

    assert rig.open == set()
