"""A worker as `streams/worker.py` puts it together: the real thing on simulated parts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from aiokafka.errors import KafkaError

from fakes.claim_store import FakeClaimStore
from fakes.lease_table import FakeLeaseTable
from processors.breakers import Breakers
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import Catalogue
from processors.gateway.gateway import Gateway
from processors.gateway.lender import Lender
from processors.gateway.limits import ProviderLimits
from processors.gateway.prices import compile_prices
from schemas.base import Tier
from schemas.catalogue import CatalogueRules, LimitRules, ModelRules, OwnPrice, ProviderRules
from streams.clock import SystemClock
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.gate import StageGate
from streams.engine.group import GroupSettings
from streams.engine.producer import RecordProducer
from streams.limit_lending import keep_lending
from streams.redelivery import Redelivery
from streams.redelivery_routes import Routes
from streams.stall_guard import REJOIN_S_MAX

from .broker import DEAD, REDELIVERY, STAGE
from .history import History
from .loop import Process
from .plan import LANES, PROVIDER, TIERS, WEIGHTS, Scenario
from .provider import SimulatedTransport
from .stage import BREAKER_RULES, MODEL, SimulatedStage
from .store import SimulatedJournal, Store

PRICED_AT = datetime(2026, 1, 1, tzinfo=UTC)
BROKERS = "simulated:9092"
LENDING_S_MAX = 0.2
"""The way to the table of loans, and back."""


@lru_cache(maxsize=256)
def catalogue(limits: LimitRules, *, stream: bool) -> Catalogue:
    """Return a catalogue of one provider with these limits, and one model."""
    price = OwnPrice.model_validate_json('{"input": "0.1", "output": "0.4"}')
    model = ModelRules(name=MODEL, provider=PROVIDER, tier=Tier.SMALL, price=price, context_tokens=100_000)
    provider = ProviderRules(name=PROVIDER, simulated=True, stream=stream, limits=limits)
    return Catalogue(CatalogueRules(providers=(provider,), models=(model,)))


class WatchedLimits(ProviderLimits):
    """The limits of one worker, which tell what share of them it uses."""

    def __init__(self, rules: LimitRules, on_share: Callable[[float], None]) -> None:
        super().__init__(PROVIDER, rules)
        self._on_share = on_share

    def set_share(self, share: float) -> None:
        super().set_share(share)
        self._on_share(share)


@dataclass(slots=True, eq=False, kw_only=True)
class Worker:
    """One worker process.

    Attributes:
        stage: makes the stage for a gateway.
        gate: what persons hold back.
        on_share: told which share of the limits it uses from now on.
        stopped: whether it ended by itself, drained.
    """

    process: Process
    scenario: Scenario
    history: History
    store: Store
    transport: SimulatedTransport
    stage: Callable[[Gateway], SimulatedStage]
    gate: StageGate
    on_share: Callable[[str, float], None]
    limits: WatchedLimits = field(init=False)
    consumer: StageConsumer | None = None
    running: "asyncio.Task[None] | None" = None
    rejoining: "asyncio.Task[None] | None" = None
    stopped: bool = False
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.limits = WatchedLimits(
            self._limit_rules(), lambda share: self.on_share(self.process.name, share)
        )

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop, or crashed."""
        return self._told.is_set()

    def stop(self) -> None:
        """SIGTERM."""
        self._told.set()

    async def run(self) -> None:
        """Work until told to stop; then drain."""
        self.store.extend(self.process)
        producer = RecordProducer(BROKERS, self.process.name)
        await producer.start()
        lender = Lender(PROVIDER, self.limits, self._lease_table())
        lending = asyncio.ensure_future(keep_lending([lender]))
        self.consumer = consumer = self._consumer(producer, lender)
        redelivery = self._redelivery(producer)
        await consumer.start()
        await redelivery.start()
        await consumer.wait_for_stopped(self._told)
        self.stop()
        await asyncio.gather(consumer.stop(), redelivery.stop())
        for service in (consumer, redelivery):
            self._tell_crash(service)
        await producer.stop()
        lending.cancel()
        self.store.release(self.process)
        self.stopped = True

    async def rejoin(self) -> None:
        """Do what is done about a stall: join anew, and if that does not help, exit."""
        if self.consumer is None or self.stopping:
            return
        try:
            await asyncio.wait_for(self.consumer.rejoin(), REJOIN_S_MAX)
        except (KafkaError, TimeoutError) as error:
            self.history.note("rejoin_failed", self.process.name, type(error).__name__)
            self.stop()

    def _limit_rules(self) -> LimitRules:
        plan = self.scenario
        return LimitRules(
            requests_per_minute=plan.requests_per_minute,
            tokens_per_minute=plan.tokens_per_minute,
            concurrency=plan.concurrency,
        )

    def _lease_table(self) -> FakeLeaseTable:
        network = self.store.network
        return FakeLeaseTable(
            self.store.loans,
            self.process.name,
            delay_s=LENDING_S_MAX,
            away=lambda: "store" in network.down,
            drawn=network.rng,
        )

    def _gateway(self) -> Gateway:
        known = catalogue(self._limit_rules(), stream=self.scenario.stream)
        return Gateway(
            catalogue=known,
            prices=compile_prices(known, PRICED_AT),
            journal=SimulatedJournal(self.store, self.process),
            limits={PROVIDER: self.limits},
            transports={PROVIDER: self.transport},
            clock=SystemClock(),
            gates=self.gate.gates,
            budgets=BudgetBook((), SystemClock()),
            breakers=Breakers(BREAKER_RULES, asyncio.get_running_loop().time),
        )

    def _consumer(self, producer: RecordProducer, lender: Lender) -> StageConsumer:
        plan = self.scenario
        return StageConsumer(
            GroupSettings(
                brokers=BROKERS,
                group=STAGE,
                client_id=self.process.name,
                topics=tuple(LANES),
                session_timeout_s=plan.session_s,
            ),
            ConsumerSettings(
                ordering=plan.ordering,
                in_flight_max=plan.in_flight_max,
                look_ahead_max=plan.look_ahead_max,
                lane_bytes_max=plan.lane_bytes_max,
                weights=WEIGHTS,
                tenant_in_flight_max=plan.tenant_in_flight_max,
                commit_interval_s=plan.commit_interval_s,
                drain_s_max=plan.drain_s,
            ),
            self.stage(self._gateway()),
            producer,
            policy=plan.policy,
            on_share=lender.set_share,
            gate=self.gate,
        )

    def _redelivery(self, producer: RecordProducer) -> Redelivery:
        routes = Routes(tiers=TIERS, origins=frozenset(LANES), dead_topic=DEAD, group=REDELIVERY)
        return Redelivery(
            BROKERS,
            self.process.name,
            routes,
            producer,
            FakeClaimStore(),
            session_timeout_s=self.scenario.session_s,
            on_sent=lambda topic: self.history.note("redelivered", topic),
        )

    def _tell_crash(self, service: StageConsumer | Redelivery) -> None:
        if service.crashed:
            reason = service.crash_reason
            self.history.note("crash", self.process.name, type(reason).__name__)
            if not isinstance(reason, KafkaError):
                self.history.violate("engine_errors", f"{self.process.name} crashed: {reason!r}")
