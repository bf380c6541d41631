"""Breakers around a call: of its provider and of its model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from processors.breakers import Admission, BreakerRules, Breakers
from processors.errors import (
    ProcessingError,
    ProviderMalformedError,
    ProviderQuotaError,
    ProviderRefusedError,
    ProviderTimeoutError,
    ProviderUnauthorizedError,
    ProviderUnavailableError,
    ScopeClosedError,
    TransientError,
)
from schemas.scope import Scope

CALL_RULES = BreakerRules(open_s_max=60.0)
"""Three calls a minute cost little, and records must not stay away for much longer than an outage lasts."""

AGAINST_PROVIDER = (
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderQuotaError,
    ProviderUnauthorizedError,
)
AGAINST_MODEL = (ProviderTimeoutError, ProviderUnavailableError, ProviderMalformedError)


class CallBreakers:
    """What the outcomes of calls say of providers and models.

    A refusal of the model is an answer. What lies with the request says nothing, nor does 429: the limits
    obey it.

    Args:
        breakers: of all providers and models of this worker.
    """

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def refusal(self, scopes: Sequence[Scope]) -> ScopeClosedError | None:
        """Return what keeps a call of these scopes out now, or None when it would be let through."""
        return next((found for scope in scopes if (found := self._breakers.refusal(scope))), None)

    @contextmanager
    def admitted(self, provider: Scope, model: Scope) -> Iterator[Callable[[], None]]:
        """Let one call through.

        A failure that a breaker counts, and that finds it open then, is the outage's and not the record's: it
        becomes ScopeClosedError, which uses up no attempt. But a probe may fail by its own record, which must
        come to an end also when nothing else is there that could close the breaker: it stays what it is,
        unless the account is at fault.

        Yields:
            A function to call when the answer is there.

        Raises:
            ScopeClosedError: a scope is open, or half-open with its probes under way.
        """
        probe = False
        try:
            with (
                self._judged(model, AGAINST_MODEL) as of_model,
                self._judged(provider, AGAINST_PROVIDER) as of_provider,
            ):
                probe = of_provider.probe or of_model.probe
                yield lambda: _succeed(of_provider, of_model)
        except (*AGAINST_PROVIDER, ProviderMalformedError) as error:
            if self._breakers.refusal(provider) is not None:
                self._breakers.reset(model)  # when nobody answers it is not the model's fault
            closed = self.refusal((provider, model))
            if closed is None or (probe and isinstance(error, TransientError)):
                raise
            raise closed from error

    @contextmanager
    def _judged(self, scope: Scope, against: tuple[type[ProcessingError], ...]) -> Iterator[Admission]:
        with self._breakers.admitted([scope]) as admission:
            try:
                yield admission
            except against:
                admission.fail()
                raise
            except ProviderRefusedError:
                admission.succeed()
                raise


def _succeed(*admissions: Admission) -> None:
    for admission in admissions:
        admission.succeed()
