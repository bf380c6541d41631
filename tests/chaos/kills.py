"""The seeded schedule of kills, and its execution."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from streams.store.database import Database

from .artefacts import CallId, Kill
from .cluster import Cluster
from .waiting import until

FIRST_AT, LAST_AT = 0.03, 0.85
DELAY_S_MAX = 1.0
PAUSE_S_MAX = 8.0
AT_ONCE_SHARE = 0.5
# A statement of the killed worker that PostgreSQL has begun goes on to its end.
SETTLE_S = 0.3

WORKER_OF = "SELECT worker_id FROM workers WHERE pid = $1 ORDER BY started_at DESC LIMIT 1"
OPEN_CALLS = "SELECT revision, step, attempt FROM model_calls WHERE state = 'open' AND worker_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedKill:
    """One kill.

    Attributes:
        at: share of the tasks that have ended; progress makes a plan mean the same on every machine, as in
            Apache Kafka's transactions_test.py, which bounces after each 20 %.
        delay_s: from then to the kill, in seconds.
        victim: picks the worker, modulo those that run.
        pause_s: until a new worker is started, in seconds.
    """

    at: float
    delay_s: float
    victim: int
    pause_s: float


def plan_kills(count: int, seed: int) -> tuple[PlannedKill, ...]:
    """Return the schedule of a seed, in order."""
    chance = random.Random(seed)
    plans = [
        PlannedKill(
            at=chance.uniform(FIRST_AT, LAST_AT),
            delay_s=chance.uniform(0, DELAY_S_MAX),
            victim=chance.randrange(1 << 16),
            pause_s=0.0 if chance.random() < AT_ONCE_SHARE else chance.uniform(0, PAUSE_S_MAX),
        )
        for _ in range(count)
    ]
    return tuple(sorted(plans, key=lambda plan: plan.at))


class Killer:
    """Kills and starts anew.

    Args:
        cluster: whose workers.
        database: where a dead worker's open calls are seen.
        tasks: how many there are in all.
        finished: how many have ended.
    """

    def __init__(self, cluster: Cluster, database: Database, tasks: int, finished: Callable[[], int]) -> None:
        self.kills: list[Kill] = []
        self._cluster = cluster
        self._database = database
        self._tasks = tasks
        self._finished = finished

    async def run(self, plans: Sequence[PlannedKill]) -> None:
        """Execute the schedule; return when every worker is back."""
        restarts: list[asyncio.Task[None]] = []
        for plan in plans:
            await until(partial(self._reached, plan.at))
            await asyncio.sleep(plan.delay_s)
            await until(lambda: bool(self._cluster.living))
            number = self._cluster.living[plan.victim % len(self._cluster.living)]
            pid = await self._cluster.kill_worker(number)
            at_s = time.time()
            restarts.append(asyncio.create_task(self._restart(number, plan.pause_s)))
            self.kills.append(await self._kill(pid, at_s))
        await asyncio.gather(*restarts)

    def _reached(self, share: float) -> bool:
        return self._finished() >= share * self._tasks

    async def _restart(self, number: int, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        self._cluster.start_worker(number)

    async def _kill(self, pid: int, at_s: float) -> Kill:
        finished = self._finished()
        await asyncio.sleep(SETTLE_S)
        worker = await self._database.fetch_row(WORKER_OF, pid)
        worker_id = worker["worker_id"] if worker else f"pid {pid}, killed before it registered"
        rows = await self._database.fetch(OPEN_CALLS, worker_id)
        calls = frozenset(CallId(row["revision"], row["step"], row["attempt"]) for row in rows)
        return Kill(at_s=at_s, worker_id=worker_id, open_calls=calls, finished=finished)
