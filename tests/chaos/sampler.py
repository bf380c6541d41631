"""Watches commits from outside: what is committed, and then how far the topics reach, again and again."""

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.events import TaskFinished
from streams.pipeline import PIPELINE
from streams.topics import all_topics, topic_name

from .artefacts import Commit, GroupPartition, Sample

SAMPLE_S = 0.2
SAMPLES_MAX = 50_000
SETTLE_S = 5.0
"""Who has just become a group's coordinator may answer with a commit before the last: it reads no further
than the high watermark of its log, which it learns of late."""
FINISHED_TOPIC = topic_name(TaskFinished)


class OffsetSampler:
    """Samples all the time between `async with` and its end.

    The order of reading is what makes the samples proof: a result that was acknowledged before the commit
    stands below the end offsets that are read after it.

    Args:
        brokers: bootstrap servers.
        partitions: of each topic.
    """

    def __init__(self, brokers: str, partitions: int) -> None:
        self.samples: list[Sample] = []
        self.commits: dict[GroupPartition, Commit] = {}
        self.ends: dict[tuple[str, int], int] = {}
        self._admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
        self._partitions = [
            TopicPartition(topic.name, number)
            for topic in all_topics()
            for number in range(topic.partitions or partitions)
        ]
        # One object for each, not one in each of thousands of samples.
        self._places = {tp: (tp.topic, tp.partition) for tp in self._partitions}
        self._coordinators: dict[str, int] = {}
        self._found_s: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._consumer.start()
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
        await self._admin.close()

    @property
    def finished(self) -> int:
        """Records in the finished topic."""
        return sum(end for (topic, _), end in self.ends.items() if topic == FINISHED_TOPIC)

    @property
    def lag(self) -> dict[GroupPartition, int]:
        """Records that the stages' groups have not committed, where there are any."""
        lags = {}
        for spec in PIPELINE.values():
            for topic, partition in self.ends:
                if topic in spec.topics:
                    at = GroupPartition(spec.group, topic, partition)
                    done = self.commits[at].offset if at in self.commits else 0
                    lags[at] = self.ends[topic, partition] - done
        return {at: lag for at, lag in lags.items() if lag > 0}

    async def sample(self) -> None:
        """Take one sample.

        Raises:
            KafkaError: the broker does not answer.
        """
        committed: dict[GroupPartition, Commit] = {}
        for spec in PIPELINE.values():
            committed |= await self._committed(spec.group)
        changed = {at: commit for at, commit in committed.items() if self._is_news(at, commit)}
        ends = await self._consumer.end_offsets(self._partitions)
        grown = {self._places[tp]: end for tp, end in ends.items() if self.ends.get(self._places[tp]) != end}
        self.ends |= grown
        self.commits |= changed
        self.samples.append(Sample(commits=changed, ends=grown))

    def _is_news(self, at: GroupPartition, commit: Commit) -> bool:
        known = self.commits.get(at)
        settled = time.monotonic() - self._found_s[at.group] >= SETTLE_S
        return known is None or (known != commit and (settled or commit.offset >= known.offset))

    async def _run(self) -> None:
        while len(self.samples) < SAMPLES_MAX:
            try:
                await self.sample()
            except KafkaError:  # a sample that cannot be taken proves nothing either way
                self._coordinators.clear()  # a group may have another one by now
            await asyncio.sleep(SAMPLE_S)

    async def _committed(self, group: str) -> dict[GroupPartition, Commit]:
        if group not in self._coordinators:
            self._coordinators[group] = await self._admin.find_coordinator(group)
            self._found_s[group] = time.monotonic()
        found = await self._admin.list_consumer_group_offsets(
            group, group_coordinator_id=self._coordinators[group]
        )
        if not found:  # aiokafka 0.14 overlooks the error of a broker that coordinates the group no more
            del self._coordinators[group]
        return {
            GroupPartition(group, tp.topic, tp.partition): Commit(known.offset, known.metadata or "")
            for tp, known in found.items()
            if known.offset >= 0
        }
