"""Membership of a consumer group: assignments, polling, commits. No other file joins a group."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import ConsumerStoppedError, KafkaError

from streams.engine.assignor import LaneAssignor
from streams.engine.commit_metadata import METADATA_BYTES_MAX
from streams.engine.partitions import Committed, HeldPartition, HeldPartitions
from streams.engine.record_batches import BoundedConsumer
from streams.engine.records import InRecord, Partition, in_record
from streams.engine.session import Session

POLL_RECORDS_MAX = 500
MAX_POLL_INTERVAL_MS = 24 * 3600 * 1000
"""Not polling is back-pressure here, not death: heartbeats come from the same event loop as the work."""
HEARTBEAT_S_MAX = 1.0
COMMIT_S_MAX = 10.0
ENDS_S_MAX = 5.0
ASSIGN_ATTEMPTS_MAX = 20
ASSIGN_BACKOFF_S = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How to join.

    Attributes:
        brokers: bootstrap servers, `host:port` joined by commas.
        group: consumer group.
        client_id: name in the broker's logs.
        topics: topics to consume.
        session_timeout_s: seconds without heartbeat until the group gives our partitions away.
        metadata_bytes_max: most bytes of commit metadata that the broker keeps.
        instance_id: name that outlives a restart (static membership), or None. Within the session time-out a
            member of that name gets its partitions back and no other member notices. One process at a time.
            Source: https://cwiki.apache.org/confluence/display/KAFKA/KIP-345
        metadata_age_s_max: seconds after which added partitions, and a topic that is back, are seen at the
            latest; aiokafka's five minutes are long.
    """

    brokers: str
    group: str
    client_id: str
    topics: tuple[str, ...]
    session_timeout_s: float = 10.0
    metadata_bytes_max: int = METADATA_BYTES_MAX
    instance_id: str | None = None
    metadata_age_s_max: float = 10.0


class GroupMember(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types for it
    """One member of a consumer group, and the partitions that it holds.

    Args:
        settings: how to join.
        on_share: told after each assignment which share of the topics' partitions is ours (0 to 1), and
            that none is: at each revocation, at the end, and while no heartbeat is answered.
        on_broken: told when an assignment cannot be taken over; the worker must restart.
    """

    def __init__(
        self,
        settings: GroupSettings,
        on_share: Callable[[float], None],
        on_broken: Callable[[BaseException], object],
    ) -> None:
        self.partitions = HeldPartitions()
        self.last_poll_s = time.monotonic()
        self.committed_s = self.last_poll_s
        self.commit_error: str | None = None
        self.joined = False
        self._settings = settings
        self._session = Session(settings.group, settings.session_timeout_s, on_share)
        self._on_broken = on_broken
        self._commit_lock = asyncio.Lock()
        self._consumer: Any = None
        self._rejoining = False
        self._leaving = False

    async def start(self) -> None:
        """Connect and join."""
        settings, self._leaving = self._settings, False
        self._consumer = BoundedConsumer(
            bootstrap_servers=settings.brokers,
            group_id=settings.group,
            client_id=settings.client_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            partition_assignment_strategy=(LaneAssignor(),),
            group_instance_id=settings.instance_id,
            metadata_max_age_ms=int(settings.metadata_age_s_max * 1000),
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(min(HEARTBEAT_S_MAX, settings.session_timeout_s / 3) * 1000),
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            max_poll_records=POLL_RECORDS_MAX,
        )
        self._consumer.subscribe(topics=list(settings.topics), listener=self)
        await self._consumer.start()
        self._consumer.watch_heartbeats(self._session.answered)

    async def rejoin(self) -> None:
        """Leave the group and join it with a client of its own anew; calls in flight run on.

        Raises:
            KafkaError: the broker does not answer.
        """
        await self._commit(self.partitions.revoke().items())
        # Until the new client has started it can neither poll nor commit. It stays so where that fails, and
        # whoever waits for polls sees that nothing moves.
        self._rejoining = True
        await self.stop()
        await self.start()
        self._rejoining = False

    @property
    def named(self) -> bool:
        """Whether the member has a name that outlives a restart."""
        return self._settings.instance_id is not None

    def close(self) -> None:
        """End all waits, of records for a retry and of calls for their turn: nothing more is begun."""
        self.partitions.close()
        self._session.give_up()

    async def leave(self) -> None:
        """Commit, give all partitions up and leave the group for good; calls in flight run on."""
        self._session.give_up()
        if self._consumer is not None:  # the worker may be told to stop before all of it has started
            await self._commit(self.partitions.revoke().items())
        self.partitions.give_up()
        await self.stop()

    async def stop(self) -> None:
        """Leave the group and disconnect."""
        self._leaving = True
        self._session.give_up()  # others get it now: a worker that still drains would lend it a second time
        if self._consumer is not None:
            await self._consumer.stop()

    async def poll(self, wait_s: float, topics: Collection[str]) -> list[InRecord]:
        """Return records of `topics`, at most POLL_RECORDS_MAX; an empty list after `wait_s` seconds.

        Raises:
            KafkaError: the broker refused.
            ConsumerStoppedError: the member has left for good.
        """
        # Without a filter aiokafka returns every topic's.
        some = [] if len(topics) == len(self._settings.topics) else self._held(topics)
        if self._rejoining or (not some and len(topics) < len(self._settings.topics)):
            await asyncio.sleep(wait_s)
            return []
        try:
            batches = await self._consumer.getmany(*some, timeout_ms=int(wait_s * 1000))
        except ConsumerStoppedError:
            if not self._rejoining:
                raise
            await asyncio.sleep(wait_s)
            return []
        self.last_poll_s = time.monotonic()
        return [in_record(raw) for records in batches.values() for raw in records]

    def _held(self, topics: Collection[str]) -> list[TopicPartition]:
        return [
            TopicPartition(*partition)
            for partition, _ in self.partitions.items()
            if partition.topic in topics
        ]

    async def ends(self) -> Mapping[Partition, int]:
        """Return the next offset of the log of each partition that is held.

        Raises:
            KafkaError, TimeoutError: the broker does not answer.
        """
        held = [TopicPartition(*partition) for partition, _ in self.partitions.items()]
        if not held:
            return {}
        ends = await asyncio.wait_for(self._consumer.end_offsets(held), ENDS_S_MAX)
        return {Partition(tp.topic, tp.partition): end for tp, end in ends.items()}

    def throttle(self) -> None:
        """Pause partitions whose window is full, resume those whose window has room again."""
        for partition, held in self.partitions.items():
            if held.paused != held.window.full:
                held.paused = held.window.full
                change = self._consumer.pause if held.paused else self._consumer.resume
                change(TopicPartition(*partition))

    async def commit(self) -> None:
        """Commit the progress of the partitions that are held now and moved since their last commit."""
        await self._commit(self.partitions.items())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Suspend every partition and commit at once; calls in flight run on."""
        del revoked  # the eager protocol takes all
        self._session.give_up()  # before anybody gets a larger share than now
        await self._commit(self.partitions.revoke().items())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take the new assignment over; aiokafka swallows errors here, so they are passed on by hand."""
        try:
            await self._assign(sorted(assigned))
        except Exception as error:
            log.exception("%s: the assignment could not be taken over", self._settings.group)
            self._on_broken(error)

    async def _assign(self, assigned: Sequence[TopicPartition]) -> None:
        states = await self._states(assigned)
        self.partitions.assign(states, self._consumer._coordinator.generation)  # noqa: SLF001 - no public way
        for partition, held in self.partitions.items():
            held.paused = False
            self._consumer.seek(TopicPartition(*partition), held.window.next_offset)
        self.throttle()  # a full window that came straight back would grow by a poll at every rebalance
        share = len(assigned) / max(1, self._partitions_in_all())
        log.info("%s: %d partitions assigned, share %.3f", self._settings.group, len(assigned), share)
        # The client ends a rebalance that runs before it leaves: what that gives is others' in a moment.
        self._session.hold(0.0 if self._leaving else share)
        self.joined = True

    def _partitions_in_all(self) -> int:
        return sum(len(self._consumer.partitions_for_topic(t) or ()) for t in self._settings.topics)

    async def _states(self, assigned: Sequence[TopicPartition]) -> Mapping[Partition, Committed]:
        for attempt in range(ASSIGN_ATTEMPTS_MAX):
            try:
                return await self._fetch_states(assigned)
            except KafkaError as error:
                if attempt + 1 == ASSIGN_ATTEMPTS_MAX:
                    raise
                log.warning("%s: reading committed offsets failed, again: %r", self._settings.group, error)
                await asyncio.sleep(ASSIGN_BACKOFF_S)
        raise AssertionError("unreachable: the loop returns or raises")

    async def _fetch_states(self, assigned: Sequence[TopicPartition]) -> Mapping[Partition, Committed]:
        if not assigned:
            return {}
        # The public committed() drops the metadata, which is what is wanted here.
        commits = await self._consumer._coordinator.fetch_committed_offsets(list(assigned))  # noqa: SLF001
        beginnings = await self._consumer.beginning_offsets(list(assigned))
        ends = await self._consumer.end_offsets(list(assigned))
        states = {}
        for tp in assigned:
            commit = commits.get(tp)
            known = commit is not None and commit.offset >= 0
            states[Partition(tp.topic, tp.partition)] = Committed(
                offset=commit.offset if known else None,
                metadata=commit.metadata if known else "",
                beginning=beginnings[tp],
                end=ends[tp],
            )
        return states

    async def _commit(self, partitions: Iterable[tuple[Partition, HeldPartition]]) -> None:
        async with self._commit_lock:
            # Expelled and not back yet: while the group is empty the broker takes a commit from anybody, also
            # one that is behind what others have done since.
            if self._rejoining or self._consumer._coordinator.generation != self.partitions.generation:  # noqa: SLF001 - no public way
                return
            most = self._settings.metadata_bytes_max
            moved = [(p, held, held.progress(most)) for p, held in partitions if held.dirty and not held.lost]
            if not moved:
                return
            offsets = {TopicPartition(*p): OffsetAndMetadata(*progress) for p, _, progress in moved}
            for _, held, _ in moved:
                held.dirty = False
            try:
                await asyncio.wait_for(self._consumer.commit(offsets), COMMIT_S_MAX)
            except (KafkaError, TimeoutError) as error:
                self.commit_error = repr(error)
                log.warning("%s: commit failed, will be tried again: %r", self._settings.group, error)
                for _, held, _ in moved:
                    held.dirty = True
            else:
                self.commit_error = None
                self.committed_s = time.monotonic()
                for _, held, progress in moved:
                    held.committed = progress
