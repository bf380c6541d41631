"""The load generator: tasks and poison in a seeded order, and what the broker said to each."""

import asyncio
import csv
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from processors.errors import EventTooLargeError
from schemas.base import Lane
from schemas.events import TaskSubmitted
from schemas.task import PublishTarget, Task
from streams.engine.producer import REQUEST_BYTES_MAX, RecordProducer
from streams.envelope import Lineage, event_record

from .artefacts import Place, Poison, SendResult, Submission
from .canaries import CANARY_CITY
from .poison import SOURCE, PoisonRecord, make_poison
from .waiting import until

ROWS = Path("recipes/flight-route/rows.csv")
RECIPE = "chaos-page"
SITE = "chaos"
BULK_SHARE = 0.7
CHUNKS_MIN, CHUNK_TASKS_MAX = 200, 25
HELD_S_MAX = 1.5
"""A load that is held back trickles on, chunk by chunk: a fault shall always find something to break."""
PACE_S = 0.1
BACKLOG_SHARE = 0.2
BACKLOG_MIN = 100
CANARY_EACH = 10
SERIES_SPAN, SERIES_EACH = 30, 6
"""Every sixth task belongs to a series of five, whose order is to be kept."""

Item = Task | PoisonRecord


class Load:
    """Sends everything, never much more than the pipeline has finished.

    Args:
        brokers: bootstrap servers.
        tasks: how many tasks.
        poison: how many poison records among them.
        seed: of order, lanes and keys.
    """

    def __init__(self, brokers: str, *, tasks: int, poison: int, seed: int) -> None:
        self.submissions: list[Submission] = []
        self.poison: list[Poison] = []
        self._items = list(_items(tasks, poison, random.Random(seed)))
        self._chunk_tasks = max(1, min(CHUNK_TASKS_MAX, tasks // CHUNKS_MIN))
        self._backlog_max = max(BACKLOG_MIN, int(tasks * BACKLOG_SHARE))
        self._tasks = RecordProducer(brokers, "chaos-load")
        self._raw = AIOKafkaProducer(
            bootstrap_servers=brokers, acks="all", enable_idempotence=True, max_request_size=REQUEST_BYTES_MAX
        )

    async def run(self, finished: Callable[[], int], up_to: Callable[[], float]) -> None:
        """Send all of it, chunk by chunk, while the backlog has room.

        Args:
            finished: how many tasks have ended; bounds how far the load runs ahead.
            up_to: the share of all that may be sent so far at full speed.
        """
        await self._tasks.start()
        await self._raw.start()
        try:
            for start in range(0, len(self._items), self._chunk_tasks):
                await until(lambda: len(self.submissions) - finished() <= self._backlog_max)
                await self._held(start, up_to)
                chunk = self._items[start : start + self._chunk_tasks]
                await asyncio.gather(*(self._send(item) for item in chunk))
                await asyncio.sleep(PACE_S)
        finally:
            await self._tasks.stop()
            await self._raw.stop()

    async def _held(self, start: int, up_to: Callable[[], float]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(HELD_S_MAX):
                await until(lambda: start <= up_to() * len(self._items))

    async def _send(self, item: Item) -> None:
        if isinstance(item, PoisonRecord):
            await self._send_poison(item)
            return
        record = event_record(TaskSubmitted(task=item), Lineage(source=SOURCE))
        result: SendResult = "ok"
        try:
            await self._tasks.send([record])
        except EventTooLargeError:
            result = "fail"
        except KafkaError:
            result = "unknown"
        self.submissions.append(
            Submission(
                submission_id=item.submission_id,
                task_id=item.task_id,
                result=result,
                order_key=item.order_key,
            )
        )

    async def _send_poison(self, item: PoisonRecord) -> None:
        record = item.record
        sent = await self._raw.send_and_wait(
            record.topic, value=record.value, key=record.key, headers=list(record.headers)
        )
        place = Place(sent.topic, sent.partition, sent.offset)
        self.poison.append(Poison(kind=item.kind, place=place, sha256=item.sha256))
        if item.task is not None:
            task = item.task
            self.submissions.append(
                Submission(submission_id=task.submission_id, task_id=task.task_id, result="ok", poison=True)
            )


def _items(tasks: int, poison: int, chance: random.Random) -> Iterator[Item]:
    """Tasks in order, poison at random places among them."""
    with ROWS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    before = sorted(chance.randrange(tasks) for _ in range(poison))
    sent = 0
    for number in range(tasks):
        while sent < poison and before[sent] == number:
            yield make_poison(sent, _task(f"poison-{sent:05d}", rows, tasks + sent, chance), chance)
            sent += 1
        yield _task(f"chaos-{number:06d}", rows, number, chance)


def _task(task_id: str, rows: list[dict[str, str]], number: int, chance: random.Random) -> Task:
    row = rows[number % len(rows)]
    if number % CANARY_EACH == 0:
        row = row | {"from_city": CANARY_CITY}
    series = number // SERIES_SPAN if number % SERIES_EACH == 0 else None
    bulk = chance.random() < BULK_SHARE if series is None else series % 2 == 0
    return Task(
        task_id=task_id,
        recipe=RECIPE,
        inputs={
            **{name: row[name] for name in ("from_iata", "from_city", "to_iata", "to_city")},
            "distance_km": int(row["distance_km"]),
            "variant": f"v{number // len(rows)}",
        },
        lane=Lane.BULK if bulk else Lane.LIVE,  # the lanes are different topics: a series is in one
        order_key=None if series is None else f"series-{series}",
        target=PublishTarget(site=SITE, slug=None),
    )
