"""What a fault acts on, and the notes that it leaves for the checker."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from processors.errors import StoreUnavailableError
from streams.store.database import Database, Row

from .artefacts import CallId, Interruption
from .cluster import Cluster
from .waiting import until

# A statement of the killed worker that PostgreSQL has begun goes on to its end.
SETTLE_S = 0.3
AGAIN_S = 0.2

WORKER_OF = "SELECT worker_id FROM workers WHERE pid = $1 ORDER BY started_at DESC LIMIT 1"
OPEN_CALLS = "SELECT revision, step, attempt FROM model_calls WHERE state = 'open' AND worker_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A cluster under load.

    Attributes:
        cluster: services and workers.
        database: where a worker's open calls are seen.
        chance: draws victims and kinds.
        finished: how many tasks have ended.
        interruptions: workers that were killed or paused, in order.
    """

    cluster: Cluster
    database: Database
    chance: random.Random
    finished: Callable[[], int]
    interruptions: list[Interruption] = field(default_factory=list)

    async def some_worker(self) -> int:
        """Return the number of a worker that runs."""
        workers = self.cluster.workers
        await until(lambda: bool(workers.living))
        return self.chance.choice(workers.living)

    async def interrupted(self, row: str, pid: int) -> None:
        """Note that the worker of that process is gone or stands still, and which calls it had open."""
        at_s, finished = time.time(), self.finished()
        await asyncio.sleep(SETTLE_S)
        workers = await self._fetch(WORKER_OF, pid)
        worker_id = workers[0]["worker_id"] if workers else f"pid {pid}, before it registered"
        rows = await self._fetch(OPEN_CALLS, worker_id)
        calls = frozenset(CallId(row["revision"], row["step"], row["attempt"]) for row in rows)
        self.interruptions.append(
            Interruption(row=row, at_s=at_s, worker_id=worker_id, open_calls=calls, finished=finished)
        )

    async def _fetch(self, sql: str, argument: object) -> list[Row]:
        while True:  # bounded by the run, which ends when nothing moves
            try:
                return await self.database.fetch(sql, argument)
            except StoreUnavailableError:  # another fault has it
                await asyncio.sleep(AGAIN_S)
