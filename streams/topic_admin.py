"""Creating the topics and comparing them with what is there."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import (
    InvalidPartitionsError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)

from streams.topics import Topic, all_topics

REQUEST_MS_MAX = 30_000
LEADER_POLL_S = 0.1
LEADER_POLLS_MAX = 200
ASKED_MAX = 20
ASKED_AGAIN_S = 0.2


class TopicError(Exception):
    """A topic could not be created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """A topic as it is defined, and as it is.

    Attributes:
        topic: the definition.
        partitions: how many it has, or None when it does not exist.
    """

    topic: Topic
    partitions: int | None


async def create_missing(brokers: str, partitions: int, replication: int) -> tuple[str, ...]:
    """Create the topics that do not exist; safe when several processes do it at once.

    Args:
        brokers: bootstrap servers.
        partitions: of each new topic; the same for all, so that a dead letter keeps its partition number.
        replication: replicas of each new topic.

    Returns:
        Names of the topics that were created.

    Raises:
        TopicError: the broker refused one.
        KafkaError: the broker does not answer.
    """
    missing = [state.topic for state in await describe(brokers) if state.partitions is None]
    if not missing:
        return ()
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=REQUEST_MS_MAX)
    await admin.start()
    try:
        answer = await admin.create_topics([_definition(t, partitions, replication) for t in missing])
        await _await_leaders(admin, [topic.name for topic in missing])
    finally:
        await admin.close()
    return tuple(name for name, code, *rest in answer.topic_errors if _created(name, code, rest))


async def grow(brokers: str, partitions: int) -> tuple[str, ...]:
    """Add partitions to the topics that have fewer; workers that run take them over within a minute.

    What a stage sends to grows before what it takes: a dead letter keeps its partition number. A key may go
    to another partition from then on: its records from before and after can be worked on side by side.

    Args:
        brokers: bootstrap servers.
        partitions: of each topic afterwards.

    Returns:
        Names of the topics that have more now, in the order of growing.

    Raises:
        TopicError: the broker refused one; those before it have grown.
        KafkaError: the broker does not answer.
    """
    fewer = [state.topic.name for state in await describe(brokers) if _grows(state, partitions)]
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=REQUEST_MS_MAX)
    await admin.start()
    try:
        for name in reversed(fewer):
            await _grow(admin, name, partitions)
    finally:
        await admin.close()
    return tuple(reversed(fewer))


async def describe(brokers: str) -> Sequence[TopicState]:
    """Return every topic with the number of its partitions.

    Raises:
        KafkaError: the broker does not answer.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=REQUEST_MS_MAX)
    await admin.start()
    try:
        counts = await _counts(admin)
    finally:
        await admin.close()
    return [TopicState(topic=topic, partitions=counts.get(topic.name)) for topic in all_topics()]


async def _counts(admin: AIOKafkaAdminClient) -> Mapping[str, int]:
    """Return the number of partitions of each topic of ours that exists.

    The client asks any broker. One of several may be away: asked again, another one answers.
    """
    for _ in range(ASKED_MAX - 1):
        try:
            return await _counts_of_one(admin)
        except (NodeNotReadyError, KafkaConnectionError):
            await asyncio.sleep(ASKED_AGAIN_S)
    return await _counts_of_one(admin)


async def _counts_of_one(admin: AIOKafkaAdminClient) -> Mapping[str, int]:
    existing = set(await admin.list_topics())
    names = [topic.name for topic in all_topics() if topic.name in existing]
    details = await admin.describe_topics(names) if names else []
    return {detail["topic"]: len(detail["partitions"]) for detail in details}


def _grows(state: TopicState, partitions: int) -> bool:
    return state.topic.partitions is None and state.partitions is not None and state.partitions < partitions


async def _grow(admin: AIOKafkaAdminClient, name: str, partitions: int) -> None:
    try:
        await admin.create_partitions({name: NewPartitions(partitions)})
    except InvalidPartitionsError as error:
        raise TopicError(f"topic {name} could not get {partitions} partitions: {error}") from error
    await _await_leaders(admin, [name])


def _definition(topic: Topic, partitions: int, replication: int) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions or partitions,
        replication_factor=replication,
        topic_configs={
            **_kept(topic),
            "max.message.bytes": str(topic.record_bytes_max),
            "min.insync.replicas": str(max(1, replication - 1)),
        },
    )


def _kept(topic: Topic) -> dict[str, str]:
    if topic.compacted:
        return {"cleanup.policy": "compact", "min.compaction.lag.ms": str(topic.retention_ms)}
    return {"retention.ms": str(topic.retention_ms)}


async def _await_leaders(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait until every partition has a leader: clients that come earlier log errors that mean nothing."""
    for _ in range(LEADER_POLLS_MAX):
        details = await admin.describe_topics(list(names))
        if all(p["leader"] >= 0 for detail in details for p in detail["partitions"]):
            return
        await asyncio.sleep(LEADER_POLL_S)
    raise TopicError(f"new topics have no leader after {LEADER_POLLS_MAX * LEADER_POLL_S:.0f} s: {names!r}")


def _created(name: str, code: int, rest: Sequence[str | None]) -> bool:
    if code == 0:
        return True
    error: type[KafkaError] = for_code(code)
    if error is TopicAlreadyExistsError:
        return False
    raise TopicError(f"topic {name} could not be created: {error.__name__} {rest[0] if rest else ''}")
