"""Watches tasks end as any consumer of the finished topic would: what it has read is durable."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.events import TaskFinished
from streams.topics import topic_name

FETCH_MS = 100
RETRY_S = 0.2
TOPIC = topic_name(TaskFinished)


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a task, as it was read.

    Attributes:
        task_id: whose.
        partition: the same in every topic of the pipeline, since all have the same count and the same key.
        outcome: how it ended.
        at_s: monotonic time.
    """

    task_id: str
    partition: int
    outcome: str
    at_s: float


class Watcher:
    """Reads all the time between `async with` and its end.

    Args:
        brokers: bootstrap servers.
        partitions: of the finished topic.
    """

    def __init__(self, brokers: str, partitions: int) -> None:
        self.finishes: list[Finish] = []
        self.ended: set[str] = set()
        self._partitions = [TopicPartition(TOPIC, number) for number in range(partitions)]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=brokers, auto_offset_reset="earliest", fetch_max_wait_ms=FETCH_MS
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._consumer.stop()

    async def _run(self) -> None:
        while True:  # the scenario's life is its bound
            try:
                batches = await self._consumer.getmany(timeout_ms=FETCH_MS)
            except KafkaError:  # the broker is away, which is what some scenarios are about
                await asyncio.sleep(RETRY_S)
                continue
            now_s = time.monotonic()
            for records in batches.values():
                for record in records:
                    outcome = orjson.loads(record.value)["outcome"]
                    finish = Finish(record.key.decode(), record.partition, outcome, now_s)
                    self.finishes.append(finish)
                    self.ended.add(finish.task_id)
