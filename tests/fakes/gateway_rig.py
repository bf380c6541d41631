"""A gateway whose provider, journal and clock are fakes unless told otherwise."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from builders import NOW
from fakes.clock import FakeClock
from fakes.journal import FakeCall, FakeJournal
from fakes.model_request import a_request
from processors.breakers import BreakerRules, Breakers
from processors.clock import Clock
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import Catalogue, load
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallJournal, CallKey
from processors.gateway.limits import limits_for
from processors.gateway.prices import Prices, compile_prices
from processors.gateway.wire import Transport
from schemas.catalogue import EMBEDDING_FORMATS, Format

CONTEXT_TOKENS = 8_000
EMBEDDING_MODEL = "text-embedding-3-small"


def a_catalogue(
    spoken: Format = Format.OPENAI_CHAT,
    base_url: str = "http://p.test/v1",
    *,
    stream: bool = False,
    model: str | None = None,
    rules: Mapping[str, bool] | None = None,
) -> Catalogue:
    """One provider `p` and one model, that of `a_request` unless told, a dollar a million in and two out.

    Where the format has embeddings, so has the provider: half a dollar a million.
    """
    embeds = f"""
  - {{name: {EMBEDDING_MODEL}, provider: p, kind: embedding, context_tokens: 100,
     price: {{input: 0.5, output: 0}}}}
"""
    price = "{input: 1, output: 2, cache_read: 0.1}"
    told = "".join(f", {name}: {str(value).lower()}" for name, value in (rules or {}).items())
    return load(
        f"""
providers: [{{name: p, format: {spoken}, base_url: "{base_url}", stream: {str(stream).lower()},
             call_deadline_s: 10}}]
models:
  - {{name: {model or a_request().model}, provider: p, tier: small, context_tokens: {CONTEXT_TOKENS},
     price: {price}{told}}}
{embeds if spoken in EMBEDDING_FORMATS else ""}
""".encode()
    )


def a_gateway(
    catalogue: Catalogue,
    transports: Mapping[str, Transport],
    journal: CallJournal,
    clock: Clock | None = None,
) -> tuple[Gateway, Prices]:
    """A gateway without budgets, whose one worker has all of each limit, and its prices."""
    clock = clock or FakeClock()
    limits = limits_for(catalogue)
    for each in limits.values():
        each.set_share(1.0)
    prices = compile_prices(catalogue, NOW)
    gateway = Gateway(
        catalogue=catalogue,
        prices=prices,
        journal=journal,
        limits=limits,
        transports=transports,
        clock=clock,
        gates=Gates(),
        budgets=BudgetBook((), clock),
        breakers=Breakers(BreakerRules(), time.monotonic),
    )
    return gateway, prices


@dataclass
class GatewayRig:
    """A gateway to the one provider `p`, and what is around it."""

    catalogue: Catalogue
    transport: Transport
    journal: FakeJournal = field(default_factory=FakeJournal)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        transports = {"p": self.transport}
        self.gateway, self.prices = a_gateway(self.catalogue, transports, self.journal, self.clock)

    @property
    def attempts(self) -> list[FakeCall]:
        """The ledger rows of `a_request`."""
        request = a_request()
        return self.journal.attempts(CallKey(revision=request.revision, step=request.step))
