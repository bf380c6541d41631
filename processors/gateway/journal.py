"""The paid-call journal as the gateway needs it: a port, and what passes through it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, Protocol

from processors.gateway.budgets import Budget, Refused
from processors.gateway.wanted import Unwanted, always_wanted
from schemas.failures import FailureReason
from schemas.task import Task
from schemas.usage import CacheResult, Usage

DEATHS_MAX: Final = 5
"""Each may have been billed. That many restarts in one call are seldom chance; each replay asks once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKey:
    """Which call: a revision's step. Attempts are counted below it."""

    revision: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIntent:
    """A call that is about to be made, as the ledger books it.

    Attributes:
        key: which call.
        task: who pays.
        recipe: `name@version`.
        provider: name in the catalogue.
        model: model name.
        simulated: whether the simulated provider answers.
        cost_max_usd: worst case; what is booked while the outcome is unknown.
        budgets: what the call is booked on.
        degraded_by: what made the answer less than was asked for, or None.
    """

    key: CallKey
    task: Task
    recipe: str
    provider: str
    model: str
    simulated: bool
    cost_max_usd: Decimal
    budgets: tuple[Budget, ...] = ()
    degraded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The intent is durable and ours: make the call.

    Attributes:
        attempt: number of the attempt, from 1.
    """

    attempt: int


@dataclass(frozen=True, slots=True)
class InsteadOf:
    """The model that was to answer, and why it did not."""

    model: str
    reason: FailureReason


@dataclass(frozen=True, slots=True, kw_only=True)
class JournaledAnswer:
    """An answer that was paid for, here or by another call whose answer the cache kept.

    Attributes:
        attempt: the attempt that it answered.
        text: the model's text.
        finish_reason: `stop` or `length`.
        provider: who answered.
        model: model that was asked.
        simulated: whether the simulated provider answered.
        usage: tokens.
        usage_estimated: whether they are our own count.
        cost_usd: price; the worst case where the tokens are our own count.
        submission_id: the submission that paid.
        latency_s: seconds from request to whole answer.
        answered_at: when it became durable.
        degraded_by: what made it less than was asked for, or None.
        first_token_s: seconds from request to a stream's first word, or None.
        response_model: model that answered, as the provider names it, or None.
        instead_of: the model that was to answer; None: this one.
        cache: what the answer cache had, or None where it is not used.
        saved_usd: price of the cached answer when it was bought.
        trimmed: parts of the prompt that were trimmed to fit the model's window.
    """

    attempt: int
    text: str
    finish_reason: Literal["stop", "length"]
    provider: str
    model: str
    simulated: bool
    usage: Usage
    usage_estimated: bool
    cost_usd: Decimal
    submission_id: str
    latency_s: float
    answered_at: datetime
    degraded_by: str | None = None
    first_token_s: float | None = None
    response_model: str | None = None
    instead_of: InsteadOf | None = None
    cache: CacheResult | None = None
    saved_usd: Decimal = Decimal(0)
    trimmed: tuple[str, ...] = ()


class CallJournal(Protocol):
    """The paid-call journal and ledger: an answer is durable before its record may count as done."""

    async def find(self, key: CallKey, unwanted: Unwanted = always_wanted) -> JournaledAnswer | None:
        """Return the answer of that call if one was received; wait while a live worker is at it.

        Raises:
            ProcessingError: what `unwanted` said while waiting.
            ClaimedElsewhereError: a live worker has been at it for longer than the wait's bound.
            StoreUnavailableError: the store is away.
        """

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        """Make the intent durable, unless the answer is there already; wait while a live worker is at it.

        An open intent of a dead worker is booked as `unknown` at its worst case, and a new attempt opened,
        but not after the DEATHS_MAX-th.

        The intent is the reservation: it is durable only if its worst case fits into each of its budgets, and
        else refused. Whatever closes it settles it, in the same transaction. So of each budget, at any moment
        and over all workers, the price of its closed calls and the worst case of its open ones together are
        at most `hard_usd`.

        Raises:
            WorkersDiedError: DEATHS_MAX workers ended while they made this call.
            ClaimedElsewhereError, StoreUnavailableError: as `find`.
        """

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        """Make the answer durable.

        Raises:
            StoreUnavailableError: the store is away; the intent stays open and the caller tries again.
        """

    async def adopt(self, intent: CallIntent, answer: JournaledAnswer) -> JournaledAnswer:
        """Make an answer durable that was bought for another call; it costs nothing and asks no budget.

        Args:
            intent: the call that it answers, with a worst case of 0.
            answer: the answer at a price of 0; its attempt is numbered here.

        Returns:
            The answer that counts: this one, or the one that is there already.

        Raises:
            ClaimedElsewhereError, StoreUnavailableError: as `find`.
        """

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        """Close the intent without an answer. `billed`: maybe paid for, so the worst case stays booked.

        Raises:
            StoreUnavailableError: the store is away.
        """

    async def disown(self, key: CallKey) -> None:
        """Close an intent that this worker may have opened without hearing of it: nobody calls for it.

        Raises:
            ClaimedElsewhereError: another task of this worker is at that very call.
            StoreUnavailableError: the store is away.
        """
