"""Failover between two real providers: the one that fails is left at once, the other's limit is kept."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import NOW
from fakes.clock import FakeClock
from fakes.journal import FakeJournal
from fakes.model_request import a_request
from processors.breakers import BreakerRules, Breakers
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import load
from processors.gateway.gateway import Gateway
from processors.gateway.limits import limits_for
from processors.gateway.prices import compile_prices
from processors.gateway.transport import open_transports
from streams.embedded.provider.config import load_config
from streams.embedded.provider.server import ProviderServer

CALLS = 8
PER_MINUTE = 240
PER_SECOND_MAX = 5
"""Four a second is the second provider's limit, and one more is what comes at once."""
CATALOGUE = """
providers:
  - {{name: first, base_url: "{first}/v1"}}
  - {{name: second, base_url: "{second}/v1", limits: {{requests_per_minute: {per_minute}}}}}
models:
  - {{name: a, provider: first, tier: small, context_tokens: 8000,
     price: {{input: 1, output: 2}}, fallbacks: [b]}}
  - {{name: b, provider: second, tier: small, price: {{input: 1, output: 2}}, context_tokens: 8000}}
"""


class Provider:
    """A simulated provider and what it says of its requests."""

    def __init__(self, log: Path, **settings: Any) -> None:
        self._log = log
        behaviour = {"latency": {"kind": "fixed", "seconds": 0.0}, **settings.pop("defaults")}
        self.server = ProviderServer(load_config(None, log_path=log, port=0, defaults=behaviour, **settings))

    def requests(self) -> list[dict[str, Any]]:
        lines = [orjson.loads(line) for line in self._log.read_bytes().splitlines()]
        return [line for line in lines if line["event"] == "request"]


@pytest.fixture
async def providers(tmp_path: Path) -> AsyncIterator[tuple[Provider, Provider]]:
    first = Provider(tmp_path / "first.jsonl", defaults={"faults": {"http_500": 1.0}})
    second = Provider(tmp_path / "second.jsonl", defaults={"limits": {"requests_per_minute": PER_MINUTE}})
    yield first, second
    await asyncio.gather(first.server.stop(), second.server.stop())


async def test_calls_go_over_to_the_second_provider_within_its_limit(
    providers: tuple[Provider, Provider],
) -> None:
    first, second = providers
    addresses = {"first": await first.server.start(), "second": await second.server.start()}
    catalogue = load(CATALOGUE.format(**addresses, per_minute=PER_MINUTE).encode())
    limits, transports = limits_for(catalogue), open_transports(catalogue, {})
    for limit in limits.values():
        limit.set_share(1.0)
    journal = FakeJournal()
    gateway = Gateway(
        catalogue=catalogue,
        prices=compile_prices(catalogue, NOW),
        journal=journal,
        limits=limits,
        transports=transports,
        clock=FakeClock(),
        gates=Gates(),
        budgets=BudgetBook((), FakeClock()),
        breakers=Breakers(BreakerRules(), time.monotonic),
    )

    requests = [a_request(model="a", revision=f"{number:020}") for number in range(CALLS)]
    answers = await asyncio.gather(*(gateway.complete(request) for request in requests))

    assert {(a.recorded.provider, a.recorded.fallback_from) for a in answers} == {("second", "a")}
    assert [line["status"] for line in first.requests()] == [500] * CALLS
    assert [line["status"] for line in second.requests()] == [200] * CALLS
    at_s = [line["monotonic"] for line in second.requests()]
    assert max(sum(end - 1.0 < at <= end for at in at_s) for end in at_s) <= PER_SECOND_MAX
    states = [[call.state for call in attempts] for attempts in journal.calls.attempts.values()]
    assert states == [["failed", "answered"]] * CALLS
    for transport in transports.values():
        await transport.aclose()
