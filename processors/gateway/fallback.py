"""Fallback: which model is asked when one does not answer, and what is raised when none does.

    the first model's fault lies with  | then
    -----------------------------------|----------------------------------------------------
    provider or model                  | the next model, at once
    a wait of at most FALLBACK_AFTER_S | raised: the record is tried again by then
    the request, its money or its time | raised: another model would not help

What a later model has against the request (its window, its price, its API) rules out that model alone. So
fallbacks never end a task that would have waited without them.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Final

from processors.errors import (
    PROVIDER_FAULTS,
    BudgetExceededError,
    BudgetExhaustedError,
    ProcessingError,
    PromptTooLongError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ScopeClosedError,
    TransientError,
    UnavailableError,
    UnpricedModelError,
)
from processors.gateway.budgets import Refused, Verdict
from processors.gateway.hedging import hedge_step
from processors.gateway.journal import InsteadOf
from processors.model import CallState, ModelRequest

FALLBACK_AFTER_S: Final = 5.0
"""A longer wait for a model that can be replaced is not sat out."""

UNFIT = (
    BudgetExceededError,
    BudgetExhaustedError,
    PromptTooLongError,
    UnpricedModelError,
    ProviderRejectedError,
)


class Purse:
    """What the calls of one question may have cost of the task's own budget.

    Args:
        budget_usd: most that they may cost together, or None.
    """

    def __init__(self, budget_usd: Decimal | None) -> None:
        self._left_usd = budget_usd

    @property
    def left_usd(self) -> Decimal | None:
        """What another call may cost."""
        return self._left_usd

    @contextmanager
    def holding(self, cost_max_usd: Decimal) -> Iterator[Callable[[], None]]:
        """Take the worst case of a call, and give it back when the call was surely not billed.

        Yields:
            A function that gives it back at once.
        """
        self._take(cost_max_usd)
        try:
            yield lambda: self._take(-cost_max_usd)
        except ProcessingError as error:
            if not maybe_billed(error):
                self._take(-cost_max_usd)
            raise

    def _take(self, usd: Decimal) -> None:
        if self._left_usd is not None:
            self._left_usd -= usd


class Chain:
    """The models that one question is asked of, one after the other, each at most once.

    Args:
        request: the question; its model is asked first.
        fallbacks: returns what may be asked in place of a model, in order.
    """

    def __init__(self, request: ModelRequest, fallbacks: Callable[[str], tuple[str, ...]]) -> None:
        self.degraded_by: str | None = None
        self.purse = Purse(request.budget_usd)
        self.question = request
        self._request = request
        self._fallbacks = fallbacks
        self._left = deque(fallbacks(request.model))
        self._failed: list[tuple[str, ProcessingError]] = []
        self._hedged: str | None = None
        self._hedges = False

    @property
    def request(self) -> ModelRequest:
        """The question as it is asked now."""
        if self._request.budget_usd == self.purse.left_usd:
            return self._request
        return replace(self._request, budget_usd=self.purse.left_usd)

    @property
    def replaceable(self) -> bool:
        """Whether another model can be asked."""
        return bool(self._left)

    @property
    def instead_of(self) -> InsteadOf | None:
        """The first model that did not answer; None: none has failed."""
        return next((InsteadOf(model, error.reason) for model, error in self._failed), None)

    def go_on(self, error: ProcessingError) -> None:
        """Take the next model.

        Raises:
            ProcessingError: what the question ends with: `error` lies with it, or there is no other model.
        """
        goes_on = isinstance(error, (*PROVIDER_FAULTS, *UNFIT)) if self._failed else _may_fall_back(error)
        if not goes_on:
            raise error
        self._failed.append((self._request.model, error))
        if not self._left:
            raise outcome([each for _, each in self._failed])
        self._request = replace(self._request, model=self._left.popleft())

    def may_spare(self, refused: Refused) -> bool:
        """Return whether a soft budget wants the call cheaper, and it can be."""
        return refused.verdict is Verdict.STRAINED and not self._hedges and self._request.degradable

    def take_cheaper(self, refused: Refused) -> bool:
        """Go on with the cheaper call where a soft budget wants that and the question has one.

        Where only a stale answer was to spare the money, and there is none, or where the hedge has taken the
        cheaper model, it is the same call again, which only a hard budget stops.
        """
        if not self.may_spare(refused):
            return False
        less, use = self._request.cheaper, self._request.cache and replace(self._request.cache, stale_s=0)
        self._request = replace(self._request, cheaper=None, cache=use)
        if less is None:
            return True
        asked = {self._hedged, *(model for model, _ in self._failed)}
        left = deque(model for model in (less.model, *self._fallbacks(less.model)) if model not in asked)
        if not left:
            return not self._failed  # after a failure, `go_on` has what to raise
        self._request = replace(self._request, model=left.popleft(), output_tokens_max=less.output_tokens_max)
        self._left, self.degraded_by = left, str(refused.budget)
        return True

    def hedge(self) -> "Chain":
        """Return the question as its hedge asks it: of the next model, which this chain leaves out then.

        Without a next one it is the same model. A hedge has no fallbacks, and no soft budget to spare.
        """
        self._hedged = self._left.popleft() if self._left else self._request.model
        step = hedge_step(self._request.step)
        hedge = Chain(replace(self._request, step=step, model=self._hedged, tell=_unheard), _none)
        hedge.purse, hedge.degraded_by, hedge._hedges = self.purse, self.degraded_by, True
        hedge._failed = list(self._failed)
        return hedge


def _none(_model: str) -> tuple[str, ...]:
    return ()


def _unheard(_state: CallState | None) -> None:
    """Where the record stands is told by the question itself."""


def maybe_billed(error: BaseException | None) -> bool:
    """Return whether a call that ended so may be paid for."""
    if isinstance(error, ScopeClosedError) and error.__cause__ is not None:
        return maybe_billed(error.__cause__)  # the call opened its breaker
    return getattr(error, "billed", True)


def outcome(errors: list[ProcessingError]) -> ProcessingError:
    """Return the error that stands for all of a chain.

    A failed call uses up an attempt, and may have been paid for: such a record must come to an end, so that
    goes first. Then what waits for an outage's end, then 429, then what no retry helps; of each kind what
    waits least. So while one model is only away for a time, the record is tried again.
    """
    faults = [error for error in errors if isinstance(error, PROVIDER_FAULTS)]
    return min(faults, key=_order)


def _order(error: ProcessingError) -> tuple[int, float]:
    if not isinstance(error, TransientError):
        return 3, 0.0
    wait_s = error.retry_after_s or 0.0
    if isinstance(error, ProviderRateLimitedError):
        return 2, wait_s
    return int(isinstance(error, UnavailableError)), wait_s


def _may_fall_back(error: ProcessingError) -> bool:
    if not isinstance(error, PROVIDER_FAULTS):
        return False
    if isinstance(error, ProviderRateLimitedError) and error.retry_after_s is not None:
        return error.retry_after_s > FALLBACK_AFTER_S
    return True  # a wait that is not stated may be long
