"""Tasks whose partition and length of call are known: steady trickles on each partition, and heaps."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

from aiokafka.partitioner import murmur2

from schemas.base import Lane
from schemas.events import TaskSubmitted
from schemas.task import PublishTarget, Task
from streams.engine.producer import RecordProducer, send_until
from streams.envelope import Lineage, event_record

SHORT, LONG = "short-call", "long-call"
"""Recipes: the one's calls take the provider's default time, the other's go to the model LONG_MODEL."""
LONG_MODEL = "gpt-5"
RECIPE = Path(__file__).parent / SHORT
LONG_FROM_SHORT = {f"name: {SHORT}": f"name: {LONG}", "difficulty_base: 0.2": "difficulty_base: 0.9"}
SITE_TASKS = 500
CHUNK = 200
LINEAGE = Lineage(source="urn:pressline:scenario")


def write_recipes(folder: Path) -> Path:
    """Put both recipes below `folder` and return it."""
    for name, changes in ((SHORT, {}), (LONG, LONG_FROM_SHORT)):
        copytree(RECIPE, folder / name)
        text = (folder / name / "recipe.yaml").read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / name / "recipe.yaml").write_text(text)
    return folder


def partition_of(key: bytes, partitions: int) -> int:
    """Return where Kafka's default partitioner puts the key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Load:
    """Submits tasks and remembers them.

    Args:
        brokers: bootstrap servers.
        partitions: of each topic.
    """

    def __init__(self, brokers: str, partitions: int) -> None:
        self.submitted: dict[str, float] = {}
        """Monotonic time at which the broker had acknowledged it, by task id."""
        self._partitions = partitions
        self._producer = RecordProducer(brokers, "scenario-load")
        self._numbers = itertools.count()
        self._stopped = asyncio.Event()
        self._trickling: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """End all trickles and disconnect."""
        await self.end_trickles()
        await self._producer.stop()

    async def heap(self, recipe: str, count: int) -> None:
        """Submit `count` tasks at once, spread evenly over the partitions."""
        for first in range(0, count, CHUNK):
            size = min(CHUNK, count - first)
            await self.submit([self._task(recipe, (first + n) % self._partitions) for n in range(size)])

    def trickle(self, period_s: float, recipe: str = SHORT) -> None:
        """Submit a task on each partition every `period_s` seconds until `end_trickles`."""
        self._stopped.clear()
        self._trickling.append(asyncio.create_task(self._trickle(period_s, recipe)))

    async def end_trickles(self) -> None:
        """Submit no more; what was begun is sent first."""
        self._stopped.set()
        await asyncio.gather(*self._trickling)
        self._trickling.clear()

    async def _trickle(self, period_s: float, recipe: str) -> None:
        for due_s in _beats(time.monotonic(), period_s):
            await self.submit([self._task(recipe, partition) for partition in range(self._partitions)])
            try:
                await asyncio.wait_for(self._stopped.wait(), max(0.0, due_s - time.monotonic()))
            except TimeoutError:
                continue
            return

    async def submit(self, tasks: list[Task]) -> None:
        """Submit these tasks."""
        records = [event_record(TaskSubmitted(task=task), LINEAGE) for task in tasks]
        # An outage holds the load back; what it could not send by the end was never accepted.
        if await send_until(self._producer, records, self._stopped):
            self.submitted |= dict.fromkeys((task.task_id for task in tasks), time.monotonic())

    def _task(self, recipe: str, partition: int) -> Task:
        number = next(self._numbers)
        ids = (f"{recipe}-{number}-{salt}" for salt in itertools.count())
        return Task(
            task_id=next(each for each in ids if partition_of(each.encode(), self._partitions) == partition),
            recipe=recipe,
            inputs={"number": number},
            lane=Lane.LIVE,
            target=PublishTarget(site=f"site-{number // SITE_TASKS}", slug=None),
        )


def _beats(start_s: float, period_s: float) -> Iterator[float]:
    """Yield when each next one is due; who is late does not hurry afterwards."""
    due_s = start_s
    while True:  # as many as are asked for
        due_s = max(due_s + period_s, time.monotonic())
        yield due_s
