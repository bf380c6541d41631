"""The answer cache as the gateway needs it: a port, and what passes through it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from schemas.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """Which question. The digest alone tells questions apart; the rest is for those who look after the store.

    Attributes:
        digest: sha256 over all that shapes the answer, 64 hex digits.
        tenant: whose question it is.
        recipe: `name@version`.
        step: path of the step in the run.
    """

    digest: str
    tenant: str
    recipe: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """A whole and valid answer that others may be given.

    Attributes:
        text: as the journal keeps it.
        provider: who answered.
        model: model that was asked.
        response_model: model that answered, as the provider names it, or None.
        simulated: whether the simulated provider answered.
        usage: tokens that it took.
        cost_usd: price that was paid.
        answered_at: when it was bought.
        expires_at: until when it is fresh.
        kept_until: until when it may stand in, stale.
    """

    text: str
    provider: str
    model: str
    response_model: str | None
    simulated: bool
    usage: Usage
    cost_usd: Decimal
    answered_at: datetime
    expires_at: datetime
    kept_until: datetime


class AnswerStore(Protocol):
    """Answers by question, and who is asking which question.

    It keeps no answer for long after `kept_until`; whoever asks compares the times.
    """

    async def find(self, key: CacheKey) -> CachedAnswer | None:
        """Return the answer to that question, fresh or not, if there is one.

        Raises:
            StoreUnavailableError: the store is away.
        """

    async def put(self, key: CacheKey, answer: CachedAnswer) -> None:
        """Keep the answer in place of an earlier one, and delete a few whose time is over.

        Raises:
            StoreUnavailableError: the store is away; it may be kept or not.
        """

    async def lead(self, flight: str) -> bool:
        """Return whether this worker is to ask: no other live one leads the flight, or for too long.

        Raises:
            StoreUnavailableError: the store is away; it may lead or not.
        """

    async def land(self, flight: str) -> None:
        """Let other workers lead the flight, if this one does.

        Raises:
            StoreUnavailableError: the store is away; they may have to wait until it led for too long.
        """


class NoAnswers:
    """Keeps nothing: only questions that are asked at the same time share an answer."""

    async def find(self, _key: CacheKey) -> None:
        """Find nothing."""

    async def put(self, _key: CacheKey, _answer: CachedAnswer) -> None:
        """Keep nothing."""

    async def lead(self, _flight: str) -> bool:
        """Let everybody lead."""
        return True

    async def land(self, _flight: str) -> None:
        """Tell nobody."""
