"""One run: warm-up, chaos, heal, quiesce, stop, collect."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from processors.errors import StoreUnavailableError
from streams.store.database import Database

from . import collect
from .artefacts import Artefacts
from .canaries import CANARY_CITY, find
from .cluster import Cluster
from .counters import read_counters
from .faults.fault import Fault
from .load import Load
from .patience import Patience
from .progress import Progress
from .sampler import OffsetSampler
from .scene import Scene
from .schedule import Schedule, plan_faults, plan_kills

WATCH_S = 0.5
REPORT_S = 10.0
STUCK_SHOWN_MAX = 20
CONNECTIONS_MAX = 2

COUNT_ENDED = "SELECT count(*) AS ended FROM tasks WHERE state >= 'published'"
UNDER_WAY = "SELECT task_id, state::text AS state FROM tasks WHERE state < 'published' LIMIT $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to put the pipeline through.

    Attributes:
        tasks: good tasks.
        kills: SIGKILLs of a worker.
        broker_kills: SIGKILLs of a partition's leader.
        faults: other faults, each once.
        poison: poison records among the tasks.
        seed: of all that is random.
    """

    tasks: int
    kills: int
    broker_kills: int
    faults: tuple[type[Fault], ...]
    poison: int
    seed: int


@dataclass(slots=True, kw_only=True)
class Durations:
    """Seconds that each phase took, filled in as they end."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since_s: float = field(default_factory=time.monotonic)

    def end(self, phase: str) -> None:
        """The phase ends now, the next begins."""
        now_s = time.monotonic()
        self.seconds[phase] = round(now_s - self._since_s, 1)
        self._since_s = now_s


class Run:
    """A run on a cluster that is up.

    Args:
        cluster: services and workers.
        options: load and faults.
        report: told each step in words.
    """

    def __init__(self, cluster: Cluster, options: RunOptions, report: Callable[[str], None]) -> None:
        self.durations = Durations()
        self._cluster = cluster
        self._options = options
        self._report = report
        self._stuck: tuple[str, ...] = ()

    async def run(self) -> Artefacts:
        """Put the load through the faults and return what is left behind."""
        settings, options = self._cluster.services.settings, self._options
        brokers = settings.need_brokers()
        database = await Database.open(settings.need_database(), connections_max=CONNECTIONS_MAX)
        try:
            async with OffsetSampler(brokers, settings.partitions) as sampler:
                scene = Scene(
                    cluster=self._cluster,
                    database=database,
                    chance=random.Random(f"victims {options.seed}"),
                    finished=lambda: sampler.finished,
                )
                load = Load(brokers, tasks=options.tasks, poison=options.poison, seed=options.seed)
                under_way = UnderWay(
                    load=load,
                    scene=scene,
                    schedule=Schedule(scene, options.tasks),
                    sampler=sampler,
                    database=database,
                )
                await self._phases(under_way)
            return await self._collect(under_way)
        finally:
            await database.close()

    async def _phases(self, now: "UnderWay") -> None:
        options, sampler = self._options, now.sampler
        kills = plan_kills(options.kills, options.seed)
        faults = plan_faults(options.faults, options.broker_kills, options.seed)

        async def chaos() -> None:
            load = now.load.run(lambda: sampler.finished, lambda: now.schedule.load_up_to)
            await asyncio.gather(load, now.schedule.run(kills, faults))

        async def quiet() -> None:
            while True:  # `_watched` ends it
                if await now.quiet():
                    return
                await asyncio.sleep(WATCH_S)

        if await self._watched("chaos", chaos, now):
            await self._watched("quiesce", quiet, now)
        if self._stuck:
            self._stuck += await now.stuck()
        await self._cluster.workers.save_metrics()
        await self._cluster.workers.stop()
        await sampler.sample()
        self.durations.end("stop")

    async def _watched(self, phase: str, work: Callable[[], Awaitable[None]], now: "UnderWay") -> bool:
        """Do the work while anything moves; False when it did not come to its end."""
        options = self._options
        patience = Patience(options.tasks, options.kills + options.broker_kills + len(options.faults))
        working = asyncio.ensure_future(work())
        telling = asyncio.ensure_future(self._tell_progress(phase, now))
        try:
            while not working.done():
                await asyncio.wait((working,), timeout=WATCH_S)
                self._cluster.workers.replace_ended()
                if (why := patience.ended(now.progress())) and not working.done():
                    self._stuck = (f"{phase}: {why}",)
                    return False
            await working
        finally:
            working.cancel()
            telling.cancel()
        self.durations.end(phase)
        return True

    async def _tell_progress(self, phase: str, now: "UnderWay") -> None:
        since_s = time.monotonic()
        while True:
            self._report(f"{phase}: {now.progress().text(self._options.tasks, time.monotonic() - since_s)}")
            await asyncio.sleep(REPORT_S)

    async def _collect(self, now: "UnderWay") -> Artefacts:
        services = self._cluster.services
        settings = services.settings
        canaries = (CANARY_CITY, self._cluster.api_key)
        artefacts = Artefacts(
            submissions=tuple(now.load.submissions),
            poison=tuple(now.load.poison),
            interruptions=tuple(now.scene.interruptions),
            faults=tuple(now.schedule.applied),
            records=await collect.read_topics(settings.need_brokers(), settings.partitions, canaries),
            requests=collect.read_requests(services.provider_log),
            calls=await collect.read_calls(now.database),
            sink=collect.read_sink(settings.site),
            tasks=await collect.read_tasks(now.database),
            samples=tuple(now.sampler.samples),
            stuck=self._stuck,
            self_ended_workers=tuple(self._cluster.workers.self_ended),
            counters=read_counters(self._cluster.options.home / "logs"),
            canaries=tuple(find(self._cluster.options.home / "logs", canaries)),
        )
        self.durations.end("collect")
        return artefacts


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A run's parts while it goes on."""

    load: Load
    scene: Scene
    schedule: Schedule
    sampler: OffsetSampler
    database: Database

    def progress(self) -> Progress:
        """Return what has moved so far."""
        return Progress(
            submitted=len(self.load.submissions),
            finished=self.sampler.finished,
            committed=sum(commit.offset for commit in self.sampler.commits.values()),
            survived=Counter(fault.row for fault in self.schedule.applied),
        )

    async def quiet(self) -> bool:
        """Tell whether every accepted task has ended and every record is committed."""
        try:
            row = await self.database.fetch_row(COUNT_ENDED)
        except StoreUnavailableError:
            return False
        accepted = sum(submission.result == "ok" for submission in self.load.submissions)
        return row is not None and row["ended"] >= accepted and not self.sampler.lag

    async def stuck(self) -> tuple[str, ...]:
        """Return what has not come to its end, in words."""
        rows = await self.database.fetch(UNDER_WAY, STUCK_SHOWN_MAX)
        lags = list(self.sampler.lag.items())[:STUCK_SHOWN_MAX]
        return (
            *(f"{row['task_id']} is {row['state']}" for row in rows),
            *(f"{at.group} lags {lag} behind on {at.topic}-{at.partition}" for at, lag in lags),
        )
