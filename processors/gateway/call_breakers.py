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
AGAINST_MODEL = (*AGAINST_PROVIDER, ProviderMalformedError)


class CallBreakers:
    """What the outcomes of calls say of providers and models.

    A refusal of the model is an answer. What lies with the request says nothing, nor does 429: the limits
    obey it. A model that fails while another one of its provider answers fails alone: its fallbacks there
    must stay open.

    Args:
        breakers: of all providers and models of this worker.
    """

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers
        self._answered: dict[Scope, Scope] = {}
        """The model of each provider that answered last."""

    def refusal(self, scopes: Sequence[Scope]) -> ScopeClosedError | None:
        """Return what keeps a call of these scopes out now, or None when it would be let through."""
        for scope in scopes:
            if (found := self._breakers.refusal(scope)) is not None:
                return found
        return None

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
                self._judged(provider, AGAINST_PROVIDER, but_for=model) as of_provider,
            ):
                probe = of_provider.probe or of_model.probe
                yield lambda: self._succeed(provider, model, (of_provider, of_model))
        except AGAINST_MODEL as error:
            if self._breakers.refusal(provider) is not None:
                self._breakers.reset(model)  # when nobody answers it is not the model's fault
            closed = self.refusal((provider, model))
            if closed is None or (probe and isinstance(error, TransientError)):
                raise
            raise closed from error

    @contextmanager
    def _judged(
        self, scope: Scope, against: tuple[type[ProcessingError], ...], but_for: Scope | None = None
    ) -> Iterator[Admission]:
        with self._breakers.admitted([scope]) as admission:
            try:
                yield admission
            except against:
                if admission.probe or self._answered.get(scope) in (None, but_for):
                    admission.fail()
                raise
            except ProviderRefusedError:
                admission.succeed()
                raise

    def _succeed(self, provider: Scope, model: Scope, admissions: tuple[Admission, ...]) -> None:
        self._answered[provider] = model
        for admission in admissions:
            admission.succeed()
