"""One run: warm-up, chaos, heal, quiesce, stop, collect."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from streams.store.database import Database

from . import collect
from .artefacts import Artefacts
from .cluster import Cluster
from .kills import Killer, plan_kills
from .load import Load
from .sampler import OffsetSampler

WATCH_S = 0.5
STALL_S_MAX = 90.0
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
        poison: poison records among the tasks.
        seed: of all that is random.
    """

    tasks: int
    kills: int
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
        options: load and kills.
        report: told each step in words.
    """

    def __init__(self, cluster: Cluster, options: RunOptions, report: Callable[[str], None]) -> None:
        self.durations = Durations()
        self._cluster = cluster
        self._options = options
        self._report = report
        self._stuck: tuple[str, ...] = ()

    async def run(self) -> Artefacts:
        """Put the load through the kills and return what is left behind."""
        settings, options = self._cluster.settings, self._options
        brokers = settings.need_brokers()
        database = await Database.open(settings.need_database(), connections_max=CONNECTIONS_MAX)
        try:
            async with OffsetSampler(brokers, settings.partitions) as sampler:
                load = Load(brokers, tasks=options.tasks, poison=options.poison, seed=options.seed)
                killer = Killer(self._cluster, database, options.tasks, lambda: sampler.finished)
                await self._phases(load, killer, sampler, database)
            return await self._collect(load, killer, sampler, database)
        finally:
            await database.close()

    async def _phases(self, load: Load, killer: Killer, sampler: OffsetSampler, database: Database) -> None:
        plans = plan_kills(self._options.kills, self._options.seed)

        async def chaos() -> None:
            await asyncio.gather(load.run(lambda: sampler.finished), killer.run(plans))

        async def quiet() -> None:
            while True:  # `_watched` ends it when nothing moves
                if await self._quiet(load, sampler, database):
                    return
                await asyncio.sleep(WATCH_S)

        if await self._watched("chaos", chaos, sampler, killer):
            await self._watched("quiesce", quiet, sampler, killer)
        if self._stuck:
            self._stuck += await _what_is_stuck(sampler, database)
        await self._cluster.stop_workers()
        await sampler.sample()
        self.durations.end("stop")

    async def _watched(
        self, phase: str, work: Callable[[], Awaitable[None]], sampler: OffsetSampler, killer: Killer
    ) -> bool:
        """Do the work while anything moves; False when nothing moved for STALL_S_MAX."""
        working = asyncio.ensure_future(work())
        seen, seen_s = (-1, -1, -1), time.monotonic()
        try:
            while not working.done() and time.monotonic() - seen_s < STALL_S_MAX:
                await asyncio.wait((working,), timeout=WATCH_S)
                self._cluster.replace_ended()
                committed = sum(commit.offset for commit in sampler.commits.values())
                now = (sampler.finished, committed, len(killer.kills))
                if now != seen:
                    self._tell(phase, *now)
                    seen, seen_s = now, time.monotonic()
            if not working.done():
                self._stuck = (f"{phase}: nothing moved for {STALL_S_MAX:.0f} s",)
                return False
            await working
        finally:
            working.cancel()
        self.durations.end(phase)
        return True

    def _tell(self, phase: str, finished: int, committed: int, kills: int) -> None:
        self._report(f"{phase}: {finished} finished, {committed} committed, {kills} kills")

    async def _quiet(self, load: Load, sampler: OffsetSampler, database: Database) -> bool:
        row = await database.fetch_row(COUNT_ENDED)
        accepted = sum(submission.result == "ok" for submission in load.submissions)
        return row is not None and row["ended"] >= accepted and not sampler.lag

    async def _collect(
        self, load: Load, killer: Killer, sampler: OffsetSampler, database: Database
    ) -> Artefacts:
        settings = self._cluster.settings
        artefacts = Artefacts(
            submissions=tuple(load.submissions),
            poison=tuple(load.poison),
            kills=tuple(killer.kills),
            records=await collect.read_topics(settings.need_brokers(), settings.partitions),
            requests=collect.read_requests(self._cluster.provider_log),
            calls=await collect.read_calls(database),
            sink=collect.read_sink(settings.site),
            tasks=await collect.read_tasks(database),
            samples=tuple(sampler.samples),
            stuck=self._stuck,
            self_ended_workers=tuple(self._cluster.self_ended),
        )
        self.durations.end("collect")
        return artefacts


async def _what_is_stuck(sampler: OffsetSampler, database: Database) -> tuple[str, ...]:
    rows: list[Any] = await database.fetch(UNDER_WAY, STUCK_SHOWN_MAX)
    lags = list(sampler.lag.items())[:STUCK_SHOWN_MAX]
    return (
        *(f"{row['task_id']} is {row['state']}" for row in rows),
        *(f"{at.group} lags {lag} behind on {at.topic}-{at.partition}" for at, lag in lags),
    )
