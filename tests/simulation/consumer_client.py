"""aiokafka's consumer on the simulated brokers; it coordinates as aiokafka does.

Source: https://github.com/aio-libs/aiokafka/blob/master/aiokafka/consumer/group_coordinator.py
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    GroupCoordinatorNotAvailableError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    NotCoordinatorForGroupError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)

from .broker import Broker, LogRecord
from .group import HEARTBEAT_S, Joined
from .loop import PROCESS, Process
from .network import LATENCY_S, Link
from .watch import Place, Watch

REQUEST_S_MAX = 40.0
BACKOFF_S = 0.1
RECORDS_MAX = 500
REJOIN = (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError)


@dataclass(slots=True)
class _Position:
    """Where a partition of this assignment is read: None until it is known."""

    offset: int | None = None
    paused: bool = False


class SimulatedConsumer:
    """One member of a group, and aiokafka's coordinator, of which the engine reads two things."""

    heartbeat_s: float | None = None

    def __init__(self, broker: Broker, settings: Mapping[str, Any], watch: Watch) -> None:
        process = PROCESS.get()
        assert process is not None
        self.process: Process = process
        self.generation = -1
        self.member_id = ""
        self.group = broker.groups[settings["group_id"]]
        self._broker = broker
        self._watch = watch
        self._records_max: int = settings.get("max_poll_records", RECORDS_MAX)
        self._assignor = settings.get("partition_assignment_strategy", (RoundRobinPartitionAssignor,))[0]
        self._link = Link(
            network=broker.network,
            process=process,
            part="brokers",
            broken=KafkaConnectionError,
            late=RequestTimedOutError,
            timeout_s=REQUEST_S_MAX,
            refused=(GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError),
        )
        self._read: dict[Place, tuple[int, str]] = {}
        self._topics: Sequence[str] = ()
        self._listener: Any = None
        self._positions: dict[TopicPartition, _Position] = {}
        self._reassigning = True
        self._prepared = False
        self._heartbeats = False
        self._closing = False
        self._rejoin = asyncio.Event()
        self._assigned = asyncio.Event()
        self._polling: asyncio.Future[None] | None = None
        self._commit_lock = asyncio.Lock()
        self._answered: Callable[[float], None] | None = None
        self._coordination: asyncio.Task[None] | None = None

    @property
    def _coordinator(self) -> "SimulatedConsumer":
        return self

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None:
        self._topics, self._listener = topics, listener

    async def start(self) -> None:
        self._broker.arrivals[self] = self._arrived
        self._rejoin.set()
        self._coordination = asyncio.create_task(self._coordinate())

    def watch_heartbeats(self, answered: Callable[[float], None]) -> None:
        self._answered = answered
        self._beat()

    async def stop(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._broker.arrivals.pop(self, None)
        self._rejoin.set()
        self._assigned.set()
        self._look_again()
        try:
            if self._coordination is not None:
                await self._coordination
            self._heartbeats = False
            if self.generation > 0:
                await self._leave()
        finally:
            self.group.silence(self.process)

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[LogRecord]]:
        """Return records that are there, or wait for some."""
        if self._closing:
            raise ConsumerStoppedError
        network = self._broker.network
        if network.strikes("refused"):
            await asyncio.sleep(network.latency_s())
            raise KafkaConnectionError("simulated: the fetch failed")
        most = max_records or self._records_max
        found = await self._fetched(partitions, most)
        if not found and timeout_ms:
            await self._wait(timeout_ms / 1000)
            found = await self._fetched(partitions, most)
        return found

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {number for name, number in self._broker.logs if name == topic}

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    def pause(self, *partitions: TopicPartition) -> None:
        for tp in partitions:
            self._position(tp).paused = True

    def resume(self, *partitions: TopicPartition) -> None:
        for tp in partitions:
            self._position(tp).paused = False
        self._look_again()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._position(tp).offset = offset
        self._look_again()

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._link.request(lambda: dict.fromkeys(partitions, 0))

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._link.request(lambda: {tp: len(self._log(tp)) for tp in partitions})

    async def fetch_committed_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return what is committed; tried again while the error is one that passes, as in aiokafka."""
        asked = tuple(partitions)
        while True:
            try:
                commits = await self._link.request(lambda: self._committed(asked))
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(BACKOFF_S)
            else:
                self._read = {(tp.topic, tp.partition): tuple(commit) for tp, commit in commits.items()}
                return commits

    def holds(self, place: Place) -> bool:
        """Whether the partition may still be the member's, as far as the member can know."""
        return self._prepared or self._reassigning or TopicPartition(*place) in self._positions

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int]) -> None:
        """Commit as the member of the generation that it is when the request goes out, as in aiokafka."""
        for tp in offsets:
            self._position(tp)
        plain = {tp: OffsetAndMetadata(at, "") if isinstance(at, int) else at for tp, at in offsets.items()}
        while True:
            try:
                async with self._commit_lock:
                    await asyncio.shield(self._commit_once(plain))
            except REJOIN as error:
                raise CommitFailedError("simulated: the group has rebalanced") from error
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(BACKOFF_S)
            else:
                return

    def heartbeat_within(self, seconds: float) -> None:
        """Heartbeat once, in the member's own process: when it is paused, after that."""
        delay_s = self._broker.network.rng.uniform(0.0, seconds)
        loop = asyncio.get_running_loop()
        self.process.context.run(loop.call_later, delay_s, self._heartbeat)

    async def _commit_once(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        member_id, generation, group = self.member_id, self.generation, self.group
        try:
            await self._link.request(lambda: group.commit(member_id, generation, offsets))
        except RebalanceInProgressError:
            self._rejoin.set()
            raise
        except (UnknownMemberIdError, IllegalGenerationError):
            self._reset()
            raise

    def _heartbeat(self) -> None:
        if not self._heartbeats or self._closing:
            return
        if not self._link.open:
            self.heartbeat_within(HEARTBEAT_S)
            return
        try:
            self.group.heartbeat(self.member_id, self.generation)
        except RebalanceInProgressError:
            self._rejoin.set()
        except (UnknownMemberIdError, IllegalGenerationError):
            self._reset()
            return
        if self._answered is not None:
            self.heartbeat_s = asyncio.get_running_loop().time()
            self._answered(self.heartbeat_s)

    def _beat(self) -> None:
        """Heartbeat as always, where it matters when the last one was."""
        if self._closing:
            return
        if self._link.open:
            self._heartbeat()
        asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)

    async def _coordinate(self) -> None:
        while True:  # until the consumer is stopped
            if not self._closing:
                await self._rejoin.wait()
            if self._closing:
                return
            if not await self._rejoined():
                await asyncio.sleep(BACKOFF_S)

    async def _rejoined(self) -> bool:
        if not self._prepared:
            self._reassigning = True
            self._assigned.clear()
            await self._listener.on_partitions_revoked(set(self._positions))
            self._prepared = True
        self._heartbeats = False
        assignment = await self._join()
        if assignment is None:
            return False
        self._take_over(assignment)
        await self._listener.on_partitions_assigned(set(self._positions))
        if self._read:
            self._watch.assigned(self.process.name, self._read)
        self._prepared = False
        self._heartbeats = True
        self.heartbeat_within(HEARTBEAT_S)
        return True

    async def _join(self) -> Any:
        group, member_id = self.group, self.member_id
        metadata = self._assignor.metadata(self._topics)
        try:
            joined: Joined = await self._link.request(lambda: group.join(member_id, self, metadata))
        except UnknownMemberIdError:
            self._reset()
            return None
        except KafkaError:
            return None
        self.member_id, self.generation = joined.member_id, joined.generation
        assignments = self._assignor.assign(self, joined.members) if joined.members else None
        self._rejoin.clear()
        try:
            return await self._link.request(
                lambda: group.sync(joined.member_id, joined.generation, assignments)
            )
        except (UnknownMemberIdError, IllegalGenerationError):
            self._reset()
        except KafkaError:
            self._rejoin.set()
        return None

    def _take_over(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        # Positions are new: pauses are forgotten. The committed ones arrive a little later, unless one seeks.
        self._positions = {tp: _Position() for tp in sorted(assignment.partitions())}
        self._reassigning = False
        self._assigned.set()
        self._assignor.on_assignment(assignment)
        positions = self._positions
        delay_s = self._broker.network.rng.uniform(*LATENCY_S)
        asyncio.get_running_loop().call_later(delay_s, self._begin_at_committed, positions)

    def _begin_at_committed(self, positions: dict[TopicPartition, _Position]) -> None:
        for tp, position in positions.items():
            if position.offset is None:
                position.offset = self.group.committed.get((tp.topic, tp.partition), (0, ""))[0]
        self._look_again()

    async def _leave(self) -> None:
        group, member_id = self.group, self.member_id
        try:
            await self._link.request(lambda: group.leave(member_id))
        except KafkaError:
            return

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._polling = loop.create_future()
        timer = loop.call_later(seconds, self._look_again)
        await self._polling
        timer.cancel()
        await asyncio.sleep(self._broker.network.latency_s())

    def _arrived(self, place: Place) -> None:
        if TopicPartition(*place) in self._positions:
            self._look_again()

    def _look_again(self) -> None:
        if self._polling is not None and not self._polling.done():
            self._polling.set_result(None)

    async def _fetched(
        self, partitions: Sequence[TopicPartition], most: int
    ) -> dict[TopicPartition, list[LogRecord]]:
        while self._reassigning and not self._closing:
            await self._assigned.wait()
        if self._closing:
            return {}
        left = most
        found: dict[TopicPartition, list[LogRecord]] = {}
        tps = [tp for tp in self._positions if not partitions or tp in partitions]
        self._broker.network.rng.shuffle(tps)
        for tp in tps:
            records = self._next(tp, left)
            left -= len(records)
            if records:
                found[tp] = records
        return found

    def _next(self, tp: TopicPartition, most: int) -> list[LogRecord]:
        position = self._positions[tp]
        if position.offset is None or position.paused or not self._link.open or most <= 0:
            return []
        records = self._log(tp)[position.offset : position.offset + most]
        position.offset += len(records)
        return records

    def _position(self, tp: TopicPartition) -> _Position:
        if tp not in self._positions:
            raise IllegalStateError(f"simulated: {tp} is not assigned")
        return self._positions[tp]

    def _log(self, tp: TopicPartition) -> list[LogRecord]:
        return self._broker.logs[tp.topic, tp.partition]

    def _committed(self, asked: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        known = self.group.committed
        found = {tp: known.get((tp.topic, tp.partition)) for tp in asked}
        return {tp: OffsetAndMetadata(*commit) for tp, commit in found.items() if commit is not None}

    def _reset(self) -> None:
        self.generation, self.member_id = -1, ""
        self._rejoin.set()
