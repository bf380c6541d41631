"""The stage consumer: takes records, runs them side by side, commits exact progress.

Why not a Faust agent: it commits past records that are still in flight. Here a record is finished only when
the broker has acknowledged everything that it led to, and no commit ever passes an unfinished record.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from aiokafka.errors import ConsumerStoppedError, KafkaError
from mode import Service

from processors.disposition import RetryPolicy
from streams.engine.delivery import RecordDelivery
from streams.engine.group import POLL_RECORDS_MAX, GroupMember, GroupSettings
from streams.engine.partitions import HeldPartition
from streams.engine.producer import RecordProducer
from streams.engine.records import InRecord, Partition, RecordHandler
from streams.engine.slots import Slot, Slots
from streams.engine.state import ConsumerState, partition_state

POLL_S = 0.2
POLL_ERROR_S = 1.0
CANCEL_S_MAX = 5.0

log = logging.getLogger(__name__)


class Ordering(StrEnum):
    """What order a stage keeps inside a partition."""

    UNORDERED = "unordered"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Bounds of one stage consumer.

    Attributes:
        ordering: order inside a partition.
        in_flight_max: most records worked on at once; as many more may have results on their way.
        in_flight_bytes_max: most bytes of keys and values held at once.
        commit_interval_s: seconds between commits.
        drain_s_max: seconds that calls in flight may take to end at a stop.
    """

    ordering: Ordering = Ordering.UNORDERED
    in_flight_max: int = 2000
    in_flight_bytes_max: int = 256 * 1_048_576
    commit_interval_s: float = 1.0
    drain_s_max: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerHealth:
    """What a stage consumer can say of itself.

    Attributes:
        joined: whether an assignment was taken over since the start; it may be empty.
        assigned: partitions held.
        last_poll_age_s: seconds since the last poll returned.
        in_flight: records taken and unfinished.
        oldest_in_flight_s: age of the oldest of them in seconds, 0 without one.
        waiting: how many of them wait for what.
        commit_error: the last commit's error, or None.
        finished: records finished since the start.
    """

    joined: bool
    assigned: int
    last_poll_age_s: float
    in_flight: int
    oldest_in_flight_s: float
    waiting: dict[str, int]
    commit_error: str | None
    finished: int


class StageConsumer(Service):  # type: ignore[misc] # mode ships no types
    """One member of one stage's consumer group.

    Args:
        group: how to join.
        settings: bounds.
        handler: the stage.
        producer: where results go; started before and stopped after this service.
        policy: bounds of retries.
        on_share: told after each assignment which share of the topics' partitions is ours (0 to 1).
    """

    def __init__(
        self,
        group: GroupSettings,
        settings: ConsumerSettings,
        handler: RecordHandler,
        producer: RecordProducer,
        *,
        policy: RetryPolicy,
        on_share: Callable[[float], None],
    ) -> None:
        super().__init__()
        self.group = group.group
        self._settings = settings
        self._handler = handler
        self._producer = producer
        self._policy = policy
        self._member = GroupMember(group, on_share, self.crash_soon)
        self._slots = Slots(settings.in_flight_max)
        self._sends = Slots(settings.in_flight_max)
        self._in_flight: dict[RecordDelivery, asyncio.Task[None]] = {}
        self._bytes = 0
        self._room = asyncio.Event()
        self._finished = 0

    async def on_start(self) -> None:
        """Join the group."""
        await self._member.start()

    async def on_stop(self) -> None:
        """Take nothing more, let calls in flight end, commit, leave the group."""
        self._member.partitions.close()
        tasks = list(self._in_flight.values())
        if tasks:
            log.info("%s: draining %d records in flight", self.group, len(tasks))
            _, late = await asyncio.wait(tasks, timeout=self._settings.drain_s_max)
            await self._cancel(late)
        await self._member.commit()
        await self._member.stop()

    def crash_soon(self, error: BaseException) -> None:
        """Stop the worker because of `error`; its supervisor starts another."""
        self.add_future(self.crash(error))

    def health(self) -> ConsumerHealth:
        """Return what the consumer does now."""
        now_s = time.monotonic()
        waiting: dict[str, int] = {}
        for delivery in self._in_flight:
            waiting[delivery.waits_for] = waiting.get(delivery.waits_for, 0) + 1
        oldest_s = min((d.taken_s for d in self._in_flight), default=now_s)
        return ConsumerHealth(
            joined=self._member.joined,
            assigned=len(self._member.partitions),
            last_poll_age_s=now_s - self._member.last_poll_s,
            in_flight=len(self._in_flight),
            oldest_in_flight_s=now_s - oldest_s,
            waiting=waiting,
            commit_error=self._member.commit_error,
            finished=self._finished,
        )

    async def rejoin(self) -> None:
        """Leave the group and join it anew; what was in flight is taken again, or goes on where it came back.

        Raises:
            KafkaError: the broker does not answer.
        """
        await self._member.rejoin()

    def state(self) -> ConsumerState:
        """Return why the consumer does or does not move."""
        member, deliveries = self._member, tuple(self._in_flight)
        heads = {_place(d.record): d.state for d in deliveries}
        working = sum(state.waits_for == "stage" for state in heads.values())
        return ConsumerState(
            at_s=time.monotonic(),
            partitions=tuple(partition_state(p, held, heads) for p, held in member.partitions.items()),
            records=tuple(heads.values()),
            finished=self._finished,
            commit_error=member.commit_error,
            polled_s=member.last_poll_s,
            moved_s=max((member.committed_s, *(d.since_s for d in deliveries))),
            polls=working < self._settings.in_flight_max and self._bytes < self._settings.in_flight_bytes_max,
        )

    async def ends(self) -> Mapping[Partition, int]:
        """Return the next offset of the log of each partition that is held; none once it stops.

        Raises:
            KafkaError, TimeoutError: the broker does not answer.
        """
        return {} if self.should_stop else await self._member.ends()

    @Service.task  # type: ignore[untyped-decorator]
    async def _poll(self) -> None:
        while not self.should_stop:
            await self._wait_for_room()
            slots = await self._slots.reserve(POLL_RECORDS_MAX)
            records: list[InRecord] = []
            try:
                if not self.should_stop:
                    records = await self._member.poll(POLL_S, len(slots))
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                log.warning("%s: polling failed, will be tried again: %r", self.group, error)
                await self.sleep(POLL_ERROR_S)
            for record in records if not self.should_stop else ():
                self._take(record, slots)
            for slot in slots:
                slot.release()
            if records:
                self._member.throttle()

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.commit_interval_s)
            self._member.throttle()
            await self._member.commit()

    def _take(self, record: InRecord, slots: list[Slot]) -> None:
        held = self._member.partitions.get(Partition(record.topic, record.partition))
        if held is None:
            return  # fetched before a rebalance took the partition; its window says where to go on
        if not held.window.take(record.offset):
            held.dirty = True  # a record finished in an earlier life: the window may have moved
            return
        if self._settings.ordering is Ordering.KEY and record.key is not None:
            if record.key in held.parked:
                held.parked[record.key].append(record)
                self._hold(record)
                return
            held.parked[record.key] = deque()
        self._hold(record)
        self._start(record, held, slots.pop())

    def _start(self, record: InRecord, held: HeldPartition, slot: Slot) -> None:
        delivery = RecordDelivery(
            record=record,
            held=held,
            handler=self._handler,
            producer=self._producer,
            policy=self._policy,
            slot=slot,
            sends=self._sends,
        )
        self._in_flight[delivery] = asyncio.create_task(self._run(delivery))

    async def _run(self, delivery: RecordDelivery) -> None:
        held, record = delivery.held, delivery.record
        try:
            if await delivery.run():
                held.window.finish(record.offset)
                held.dirty = True
                self._finished += 1
        except asyncio.CancelledError:
            log.warning("%s: cancelled %s-%d@%d", self.group, record.topic, record.partition, record.offset)
        except Exception as error:
            log.exception("%s: the engine failed on %s-%d@%d", self.group, *_place(record))
            self.crash_soon(error)
        finally:
            delivery.slot.release()
            del self._in_flight[delivery]
            self._unhold(record)
            self._start_next_of_key(record, held)

    def _start_next_of_key(self, record: InRecord, held: HeldPartition) -> None:
        parked = held.parked.get(record.key or b"")
        if record.key is None or parked is None:
            return
        if parked and not held.closing.is_set():
            self._start(parked.popleft(), held, Slot(self._slots))
            return
        del held.parked[record.key]
        for waiting in parked:
            self._unhold(waiting)

    def _hold(self, record: InRecord) -> None:
        self._bytes += record.size

    def _unhold(self, record: InRecord) -> None:
        self._bytes -= record.size
        self._room.set()

    async def _wait_for_room(self) -> None:
        """Wait while too many bytes are held; one poll's worth may come on top of the bound."""
        while self._bytes >= self._settings.in_flight_bytes_max and not self.should_stop:
            self._room.clear()
            await self.wait_first(self._room.wait())

    async def _cancel(self, late: "set[asyncio.Task[None]]") -> None:
        if late:
            log.warning("%s: cancelling %d records unfinished after the drain", self.group, len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=CANCEL_S_MAX)


def _place(record: InRecord) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
