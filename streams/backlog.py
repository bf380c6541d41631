"""The backlog as the broker knows it: also of partitions that no worker holds."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)

from schemas.base import Stage
from streams.engine import commit_metadata
from streams.engine.record_batches import BoundedConsumer
from streams.engine.records import Partition
from streams.pipeline import PIPELINE, StageSpec
from streams.topic_admin import REQUEST_MS_MAX

COORDINATOR_TRIES_MAX = 50
COORDINATOR_PAUSE_S = 0.2
COORDINATOR_MOVES = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionBacklog:
    """One partition of one stage.

    Attributes:
        stage: whose group.
        partition: which.
        pending: records that are not finished: committed to end, without those finished out of order.
        owner: client id of the group's member that holds it, or None.
    """

    stage: Stage
    partition: Partition
    pending: int
    owner: str | None


async def read_backlog(brokers: str, stages: Iterable[Stage]) -> tuple[PartitionBacklog, ...]:
    """Return every partition of the stages, in the order of stages, topics and numbers.

    Raises:
        KafkaError: the broker does not answer, or a group's state cannot be read.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=REQUEST_MS_MAX)
    consumer = BoundedConsumer(bootstrap_servers=brokers, isolation_level="read_committed")
    try:
        await admin.start()
        await consumer.start()
        return tuple([row for stage in stages for row in await _stage(admin, consumer, PIPELINE[stage])])
    finally:
        await consumer.stop()
        await admin.close()


async def _stage(admin: Any, consumer: Any, spec: StageSpec) -> list[PartitionBacklog]:
    details = await admin.describe_topics(list(spec.topics))
    numbers = {detail["topic"]: [p["partition"] for p in detail["partitions"]] for detail in details}
    everywhere = [TopicPartition(topic, n) for topic in spec.topics for n in sorted(numbers.get(topic, ()))]
    beginnings = await consumer.beginning_offsets(everywhere)
    ends = await consumer.end_offsets(everywhere)
    coordinator, owners = await describe_group(admin, spec.group)
    commits = await admin.list_consumer_group_offsets(spec.group, coordinator)
    return [
        PartitionBacklog(
            stage=spec.stage,
            partition=Partition(*tp),
            pending=_pending(commits.get(tp), beginnings[tp], ends[tp]),
            owner=owners.get(Partition(*tp)),
        )
        for tp in everywhere
    ]


def _pending(commit: Any, beginning: int, end: int) -> int:
    if commit is None or not beginning <= commit.offset <= end:
        return int(end - beginning)
    return int(end - commit.offset) - len(commit_metadata.decode(commit.offset, commit.metadata))


async def describe_group(admin: Any, group: str) -> tuple[int, Mapping[Partition, str]]:
    """Return the broker that coordinates the group, and the client id of each partition's owner.

    For a moment none does: on a new cluster, and after a broker's start while it loads what was committed.
    aiokafka does not tell an empty answer about commits from such a broker's refusal, so this comes first.

    Raises:
        KafkaError: the broker does not answer, refuses, or still loads after COORDINATOR_TRIES_MAX tries.
    """
    for _ in range(COORDINATOR_TRIES_MAX - 1):
        try:
            return await _owners(admin, group)
        except COORDINATOR_MOVES:
            await asyncio.sleep(COORDINATOR_PAUSE_S)
    return await _owners(admin, group)


async def _owners(admin: Any, group: str) -> tuple[int, Mapping[Partition, str]]:
    coordinator = int(await admin.find_coordinator(group))
    owners: dict[Partition, str] = {}
    for answer in await admin.describe_consumer_groups([group], coordinator):
        for error, _group, _state, _kind, _protocol, members, *_ in answer.groups:
            if error:
                raise for_code(error)(f"group {group} cannot be described")
            for _member_id, client_id, _host, _metadata, assignment in members:
                owners |= dict.fromkeys(_partitions(assignment), client_id)
    return coordinator, owners


def _partitions(assignment: bytes) -> list[Partition]:
    if not assignment:
        return []  # it joins just now
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return [Partition(topic, number) for topic, numbers in decoded.assignment for number in numbers]
