"""A gateway to three models: `a` falls back on `b`, which is at another provider, then on `c`."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from builders import NOW
from fakes.clock import FakeClock
from fakes.journal import FakeCall, FakeJournal
from fakes.model_request import a_request
from fakes.transport import a_completion
from processors.breakers import BreakerRules, Breakers
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import Catalogue, load
from processors.gateway.gateway import Gateway
from processors.gateway.limits import limits_for
from processors.gateway.prices import compile_prices
from processors.gateway.wire import WireAnswer, WireRequest, WireStream
from processors.model import ModelAnswer
from schemas.budgets import BudgetRule

CHAINED = load(
    b"""
providers:
  - {name: p, base_url: "http://p.test/v1"}
  - {name: q, base_url: "http://q.test/v1"}
models:
  - {name: a, provider: p, tier: mid, price: {input: 1, output: 2}, context_tokens: 8000, fallbacks: [b, c]}
  - {name: b, provider: q, tier: frontier, price: {input: 5, output: 10}, context_tokens: 8000}
  - {name: c, provider: p, tier: small, price: {input: 1, output: 1}, context_tokens: 8000}
"""
)


@dataclass(frozen=True)
class Late:
    """A reply that comes after so many seconds."""

    seconds: float
    reply: WireAnswer | Exception


Reply = WireAnswer | Exception | Late | float
"""An answer, an error to raise, either of them late, or the seconds that a good answer takes."""


class ModelTransport:
    """Way to every provider: each model gives its replies in order, the last one for ever."""

    def __init__(self, replies: dict[str, Reply | Iterable[Reply]]) -> None:
        self._replies: dict[str, list[Any]] = {
            model: list(reply) if isinstance(reply, list) else [reply] for model, reply in replies.items()
        }
        self.asked: list[str] = []
        self.ended: list[str] = []

    async def send(self, request: WireRequest) -> WireAnswer:
        model = orjson.loads(request.body)["model"]
        self.asked.append(model)
        replies = self._replies.get(model, [0.0])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, float):
            reply = Late(reply, a_completion(f'{{"by": "{model}"}}'))
        if isinstance(reply, Late):
            await asyncio.sleep(reply.seconds)
            reply = reply.reply
        if isinstance(reply, Exception):
            raise reply
        self.ended.append(model)
        answer: WireAnswer = reply
        return answer

    @asynccontextmanager
    async def stream(self, request: WireRequest) -> AsyncIterator[WireStream]:
        raise NotImplementedError(request)
        yield


class ChainRig:
    """A gateway on fakes; `replies` by model's name."""

    def __init__(
        self,
        catalogue: Catalogue = CHAINED,
        rules: tuple[BudgetRule, ...] = (),
        journal: FakeJournal | None = None,
        **replies: Any,
    ) -> None:
        self.transport = ModelTransport(replies)
        self.journal = journal or FakeJournal()
        self.limits = limits_for(catalogue)
        for each in self.limits.values():
            each.set_share(1.0)
        self.clock = FakeClock()
        self.gates = Gates()
        self.breakers = Breakers(BreakerRules(outcomes=4, open_s=10.0), lambda: 0.0)
        self.gateway = Gateway(
            catalogue=catalogue,
            prices=compile_prices(catalogue, NOW),
            journal=self.journal,
            limits=self.limits,
            transports=dict.fromkeys(self.limits, self.transport),
            clock=self.clock,
            gates=self.gates,
            budgets=BudgetBook(rules, self.clock),
            breakers=self.breakers,
        )

    async def complete(self, **changes: Any) -> ModelAnswer:
        return await self.gateway.complete(a_request(**{"model": "a", **changes}))

    def calls(self) -> list[FakeCall]:
        return [call for attempts in self.journal.calls.attempts.values() for call in attempts]

    def booked(self) -> list[tuple[str, str]]:
        """Model and state of each attempt."""
        return [(call.intent.model, call.state) for call in self.calls()]
