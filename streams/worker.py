"""One worker process: everything that its stages need, started and stopped in order."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.errors import GroupAuthorizationFailedError
from mode import Service

from processors.breakers import Breakers
from processors.disposition import RetryPolicy
from processors.fair_queue import LANE_WEIGHTS
from processors.gates import Gates
from processors.gateway.call_breakers import CALL_RULES
from processors.gateway.catalogue import Catalogue
from processors.gateway.spared_store import SparedStore
from processors.ports import Ports
from processors.sinks.files import FilesSink
from schemas.base import Stage
from schemas.scope import Scope
from schemas.why import WorkerWhy
from streams.budgets import BudgetWatch, budget_lines, configured_budgets
from streams.claim_checks import keep_swept
from streams.claim_producer import ClaimCheckProducer
from streams.clock import SystemClock
from streams.control import ControlReader
from streams.control_topic import ControlTail
from streams.engine.broker_abilities import BrokerAbilities, probe
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.gate import StageGate
from streams.engine.group import GroupSettings
from streams.engine.state import ConsumerHealth
from streams.health import Health, judge
from streams.lease_tables import open_lease_table
from streams.limit_lending import keep_lending
from streams.memory import keep_trimmed, trimmer
from streams.models import open_models
from streams.pipeline import PIPELINE
from streams.preparation import prepare
from streams.recipes import FolderRecipeBook, RecipeFolder
from streams.redelivery import Redelivery
from streams.services import index_services, redelivery
from streams.settings import INDEX, REDELIVER, Settings, SettingsError
from streams.stage_handler import StageHandler
from streams.store.budget_counters import PostgresBudgetCounters
from streams.store.cached_answers import PostgresAnswerStore
from streams.store.claim_checks import PostgresClaimStore
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal
from streams.store.pages import PostgresPageIndex
from streams.store.publications import PostgresPublications
from streams.store.recipes import PostgresRecipeStore
from streams.store.reports import PostgresReports
from streams.store.workers import WorkerLease
from streams.telemetry import Telemetry
from streams.tracing import NoTracing, Tracing, open_tracing
from streams.why_reporter import StageBounds, WhyReporter, WhySettings, no_report

DATABASE_CONNECTIONS_MAX = 16
"""For the work. Lease and answers have a connection each of their own. Behind a full pool heartbeats come too
late, and others take the worker for dead; and a crash costs the answers that came and were not written."""

log = logging.getLogger(__name__)


class Worker(Service):  # type: ignore[misc] # mode ships no types
    """Runs the stages that the settings name.

    Args:
        settings: addresses and bounds.
        telemetry: the process's metrics.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        super().__init__()
        self.settings = settings
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.gates = Gates()
        self._call_breakers = Breakers(CALL_RULES, time.monotonic)
        self._breakers = [self._call_breakers]
        self._telemetry = telemetry
        self._consumers: dict[Stage, StageConsumer] = {}
        self._others: Sequence[Any] = ()
        self._why: WhyReporter | None = None
        self._tracing: Tracing = NoTracing()

    async def on_start(self) -> None:
        """Connect to everything, then take work."""
        settings = self.settings
        brokers = settings.need_brokers()
        created = await prepare(settings)
        log.info("worker %s: topics created: %s", self.worker_id, ", ".join(created) or "none")
        await self._take_lease()
        await self._follow_control(brokers)
        journal = PostgresCallJournal(self._database, self.worker_id, answers=self._answers_database)
        table = await self.add_async_context(open_lease_table(settings, self._lease_database, self.worker_id))
        answers = SparedStore(
            PostgresAnswerStore(self._database, self.worker_id), self._telemetry.cache.failed
        )
        self._models = open_models(
            settings, journal, table, SystemClock(), self.gates, self._call_breakers, answers=answers
        )
        _check_stall(settings, self._models.catalogue)
        self.add_future(keep_lending(self._models.lenders.values()))
        self._watch_budgets()
        self._abilities = await self._broker_abilities(brokers)
        self._tracing = open_tracing(self.worker_id)
        self._producer = ClaimCheckProducer(
            brokers, self.worker_id, self._claims, idempotent=self._abilities.idempotent
        )
        await self._producer.start()
        ports = await self._ports()
        for stage in Stage:
            if stage in settings.stages:
                self._consumers[stage] = self._consumer(stage, ports)
        self._watch()
        self._others = [
            *(
                index_services(settings, self.worker_id, self._database, self._claims)
                if INDEX in settings.stages
                else ()
            ),
            *([self._redelivery()] if REDELIVER in settings.stages else ()),
        ]
        for service in (*self._consumers.values(), *self._others):
            await self.add_runtime_dependency(service)

    async def on_stop(self) -> None:
        """Drain all stages at once, then let go of what they needed."""
        await asyncio.gather(*(service.stop() for service in (*self._consumers.values(), *self._others)))

    async def on_shutdown(self) -> None:
        """Disconnect; nothing is in flight any more."""
        if hasattr(self, "_producer"):
            await self._producer.stop()
            await self._models.close()
            await asyncio.to_thread(self._tracing.close)
        if hasattr(self, "_lease"):
            await self._lease.release()
            await self._lease_database.close()
            await self._answers_database.close()
            await self._database.close()

    def consumer_health(self) -> Mapping[str, ConsumerHealth]:
        """Return each stage consumer's state."""
        return {stage: consumer.health() for stage, consumer in self._consumers.items()}

    def why_report(self) -> WorkerWhy:
        """Return why the worker waits; nothing is known before it has started."""
        return self._why.report if self._why else no_report(self.worker_id)

    def health(self) -> Health:
        """Return the worker's health."""
        expected = [stage for stage in Stage if stage in self.settings.stages]
        return judge(self.consumer_health(), expected)

    def _watch_budgets(self) -> None:
        rules = configured_budgets(self.settings)
        watch = BudgetWatch(rules, PostgresBudgetCounters(self._database))
        self.add_future(watch.run())
        self._telemetry.watch_budgets(lambda: budget_lines(rules, watch.rows, SystemClock().now()))

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        self.add_future(keep_trimmed(trimmer()))
        self._telemetry.watch_tasks(lambda: len(asyncio.all_tasks(loop)))
        self._telemetry.watch_consumers(lambda: self.consumer_health().items())
        self._telemetry.watch_report(self.why_report)
        self._telemetry.watch_limits(self._models.limits)
        self._telemetry.watch_breakers(self._open_breakers)
        self._telemetry.watch_scaling(lambda: self._why.desired if self._why else {})

    async def _broker_abilities(self, brokers: str) -> BrokerAbilities:
        try:
            abilities = await probe(brokers, PIPELINE[Stage.CLASSIFY].topics[0])
        except GroupAuthorizationFailedError as error:
            log.warning(
                "worker %s: the broker is taken to do all that Apache's does: %r", self.worker_id, error
            )
            return BrokerAbilities()
        for line in abilities.weaker:
            log.warning("worker %s: %s", self.worker_id, line)
        return abilities

    async def _take_lease(self) -> None:
        url = self.settings.need_database()
        self._database = await Database.open(url, connections_max=DATABASE_CONNECTIONS_MAX)
        self._lease_database = await Database.open(url, connections_max=1)
        self._answers_database = await Database.open(url, connections_max=1)
        self._lease = WorkerLease(self._lease_database, self.worker_id, self.settings.stages)
        await self._lease.register()
        # Not a task of the service: those begin when the last stage has joined, long after the first works.
        self.add_future(self._lease.run())
        self._claims = PostgresClaimStore(self._database)
        self.add_future(keep_swept(self._claims))

    async def _follow_control(self, brokers: str) -> None:
        """Know what is held back before any work is taken, and begin to say why work waits."""
        tail = ControlTail(brokers, self.worker_id)
        control = ControlReader(tail, self.worker_id, self.gates, self._reset_breakers)
        await self.add_runtime_dependency(control)
        reports = PostgresReports(self._database)
        self._why = WhyReporter(
            self.worker_id,
            self._consumers,
            control,
            reports,
            WhySettings(stall_s=self.settings.stall_s, backlog_s=self.settings.backlog_s),
            self._bounds,
        )
        await self.add_runtime_dependency(self._why)

    def _reset_breakers(self, scope: Scope) -> None:
        for breakers in self._breakers:
            breakers.reset(scope)

    def _open_breakers(self) -> set[Scope]:
        return {scope for breakers in self._breakers for scope in breakers.open}

    def _bounds(self, stage: Stage) -> StageBounds:
        if stage is not Stage.GENERATE or not self._telemetry.calls.call_s:
            return StageBounds(at_once=self.settings.in_flight)
        pace = self._telemetry.calls
        limits = (provider.limits for provider in self._models.catalogue.used_providers)
        return StageBounds(
            at_once=self.settings.in_flight,
            call_s=pace.call_s,
            calls_per_s_max=pace.calls_per_s_max(limits),
        )

    async def _ports(self) -> Ports:
        recipes = FolderRecipeBook(
            RecipeFolder(self.settings.recipes).read(), PostgresRecipeStore(self._database)
        )
        await recipes.keep_current()
        return Ports(
            clock=SystemClock(),
            recipes=recipes,
            catalogue=self._models.catalogue,
            model=self._tracing.calls(self._models.gateway, self._models.catalogue),
            pages=PostgresPageIndex(self._database),
            publications=PostgresPublications(self._database, self.worker_id),
            sinks={"files": FilesSink(self.settings.site, SystemClock(), self.settings.site_url)},
        )

    def _consumer(self, stage: Stage, ports: Ports) -> StageConsumer:
        spec, settings = PIPELINE[stage], self.settings
        lanes = spec.lanes
        handler = StageHandler(
            spec=spec, ports=ports, telemetry=self._telemetry, claims=self._claims, tracing=self._tracing
        )
        self._breakers.append(handler.breakers)
        return StageConsumer(
            GroupSettings(
                brokers=settings.need_brokers(),
                group=spec.group,
                client_id=self.worker_id,
                topics=spec.topics,
                session_timeout_s=settings.session_timeout_s,
                metadata_bytes_max=self._abilities.metadata_bytes_max,
                instance_id=settings.instance_id,
            ),
            ConsumerSettings(
                ordering=settings.ordering,
                in_flight_max=settings.in_flight,
                weights={topic: LANE_WEIGHTS[lane] for topic, lane in lanes.items()},
                tenant_in_flight_max=settings.tenant_in_flight,
                drain_s_max=settings.drain_s,
            ),
            handler,
            self._producer,
            policy=RetryPolicy(),
            on_share=self._models.set_share if stage is Stage.GENERATE else _ignore,
            gate=StageGate(gates=self.gates, stage=stage, lanes=lanes),
        )

    def _redelivery(self) -> Redelivery:
        return redelivery(
            self.settings, self.worker_id, self._producer, self._claims, self._telemetry.redelivered
        )


def _check_stall(settings: Settings, catalogue: Catalogue) -> None:
    longest_s = max((provider.call_deadline_s for provider in catalogue.used_providers), default=0.0)
    if settings.stall_s <= longest_s:
        raise SettingsError(
            f"PRESSLINE_STALL_S is {settings.stall_s:g}, expected more than {longest_s:g}, a call's deadline"
        )


def _ignore(_share: float) -> None:
    """Only generate spends a provider's limit."""
