"""The stage consumer: takes records, runs them side by side, commits exact progress.

Why not a Faust agent: it commits past records that are still in flight. Here a record is finished only when
the broker has acknowledged everything that it led to, and no commit ever passes an unfinished record.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka.errors import ConsumerStoppedError, KafkaError
from mode import Service

from processors.disposition import RetryPolicy
from schemas.scope import Scope
from streams.engine.delivery import RecordDelivery
from streams.engine.draining import cancel, drain
from streams.engine.gate import StageGate
from streams.engine.group import GroupMember, GroupSettings
from streams.engine.intake import Arrival, Intake, IntakeSettings, Ordering
from streams.engine.producer import RecordProducer
from streams.engine.records import InRecord, Partition, RecordHandler
from streams.engine.slots import Slot, Slots
from streams.engine.state import ConsumerHealth, ConsumerState, partition_state, waiting_state

POLL_S = 0.2
POLL_ERROR_S = 1.0
STAY_S_MAX = 1.0
"""Calls that end so soon after a stop are finished here. Partitions do not stand still for the others."""
REOPEN_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Bounds of one stage consumer.

    Attributes:
        ordering: order inside a partition.
        in_flight_max: most records worked on at once. While the results of as many more are on their way to
            the broker, no other record is begun.
        look_ahead_max: most records of a lane that are held without being worked on: they wait for a turn, a
            retry, an earlier one of their key. Tenants share the work fairly as far as this looks ahead.
        lane_bytes_max: most bytes of keys and values of a lane held at once.
        weights: weight of each topic's lane, by topic; 1 where nothing is said.
        tenant_in_flight_max: most records of one tenant and lane in work at once, or None for no such bound.
        commit_interval_s: seconds between commits.
        drain_s_max: seconds that calls in flight may take to end at a stop; the group is left long before.
    """

    ordering: Ordering = Ordering.UNORDERED
    in_flight_max: int = 2000
    look_ahead_max: int = 5000
    lane_bytes_max: int = 128 * 1_048_576
    weights: Mapping[str, int] = field(default_factory=dict)
    tenant_in_flight_max: int | None = None
    commit_interval_s: float = 1.0
    drain_s_max: float = 30.0

    def intake(self, topics: Sequence[str]) -> IntakeSettings:
        """Return the bounds of what is taken of `topics`."""
        return IntakeSettings(
            ordering=self.ordering,
            weights={topic: self.weights.get(topic, 1) for topic in topics},
            records_max=self.in_flight_max + self.look_ahead_max,
            bytes_max=self.lane_bytes_max,
            tenant_max=self.tenant_in_flight_max,
        )


class StageConsumer(Service):  # type: ignore[misc] # mode ships no types
    """One member of one stage's consumer group.

    Args:
        group: how to join.
        settings: bounds.
        handler: the stage.
        producer: where results go; started before and stopped after this service.
        policy: bounds of retries.
        on_share: told after each assignment which share of the topics' partitions is ours (0 to 1).
        gate: what is held back now, or None when nothing ever is.
    """

    def __init__(  # noqa: PLR0913 - every part that it works with
        self,
        group: GroupSettings,
        settings: ConsumerSettings,
        handler: RecordHandler,
        producer: RecordProducer,
        *,
        policy: RetryPolicy,
        on_share: Callable[[float], None],
        gate: StageGate | None = None,
    ) -> None:
        super().__init__()
        self.group = group.group
        self._settings = settings
        self._handler = handler
        self._producer = producer
        # A record that leaves its window lets the next of its key go first.
        self._policy = policy.in_place() if settings.ordering is Ordering.KEY else policy
        self._gate = gate
        self._member = GroupMember(group, self._assigned, self.crash_soon)
        self._on_share = on_share
        self._slots = Slots(settings.in_flight_max, self._serve)
        self._sends = Slots(settings.in_flight_max)
        self._intake = Intake(settings.intake(group.topics), gate.closed if gate else _never)
        self._in_flight: dict[RecordDelivery, asyncio.Task[None]] = {}
        self._finished = 0

    async def on_start(self) -> None:
        """Join the group."""
        await self._member.start()

    async def on_stop(self) -> None:
        """Take nothing more and leave the group, so that others go on; let calls in flight end.

        A call that ends after that leaves its answer in the journal, where the new owner waits for it. A
        member with a name of its own stays to the end: it is to get its partitions back.
        """
        self._member.close()
        drain_s = self._settings.drain_s_max
        stay_s = drain_s if self._member.named else min(drain_s, STAY_S_MAX)
        await drain(self.group, self._in_flight.values(), stay_s)
        await self._member.leave()
        await cancel(self.group, await drain(self.group, self._in_flight.values(), drain_s - stay_s))

    def crash_soon(self, error: BaseException) -> None:
        """Stop the worker because of `error`; its supervisor starts another."""
        self.add_future(self.crash(error))

    def health(self) -> ConsumerHealth:
        """Return what the consumer does now."""
        now_s = time.monotonic()
        waiting: dict[str, int] = {}
        for delivery in self._in_flight:
            waiting[delivery.waits_for] = waiting.get(delivery.waits_for, 0) + 1
        if self._intake:
            waiting["turn"] = len(self._intake)
        taken_s = (each.taken_s for each in (*self._in_flight, *self._intake))
        oldest_s = min(taken_s, default=now_s)
        return ConsumerHealth(
            joined=self._member.joined,
            assigned=len(self._member.partitions),
            last_poll_age_s=now_s - self._member.last_poll_s,
            in_flight=len(self._in_flight) + len(self._intake),
            oldest_in_flight_s=now_s - oldest_s,
            waiting=waiting,
            full=not self._intake.topics_with_room(),
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
        heads |= {_place(a.record): waiting_state(a.record, self._scopes(a.record)) for a in self._intake}
        return ConsumerState(
            at_s=time.monotonic(),
            partitions=tuple(partition_state(p, held, heads) for p, held in member.partitions.items()),
            records=tuple(heads.values()),
            finished=self._finished,
            commit_error=member.commit_error,
            polled_s=member.last_poll_s,
            moved_s=max((member.committed_s, *(d.since_s for d in deliveries))),
            polls=bool(self._intake.topics_with_room()),
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
            topics = self._intake.topics_with_room()
            if not topics:
                await self.wait_first(self._intake.room())
                continue
            records: list[InRecord] = []
            try:
                records = await self._member.poll(POLL_S, topics)
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                log.warning("%s: polling failed, will be tried again: %r", self.group, error)
                await self.sleep(POLL_ERROR_S)
            for record in records if not self.should_stop else ():
                self._take(record)
            if records:
                self._serve()
                self._member.throttle()

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.commit_interval_s)
            self._member.throttle()
            await self._member.commit()

    @Service.task  # type: ignore[untyped-decorator]
    async def _reopen(self) -> None:
        while not self.should_stop:
            await (self._gate.changed(REOPEN_S) if self._gate else self.sleep(REOPEN_S))
            self._serve()

    def _scopes(self, record: InRecord) -> tuple[Scope, ...]:
        return () if self._gate is None else self._gate.scopes(record.topic, record.tenant)

    def _take(self, record: InRecord) -> None:
        partition = Partition(record.topic, record.partition)
        held = self._member.partitions.get(partition)
        if held is None:
            return  # fetched before a rebalance took the partition; its window says where to go on
        if record.offset < held.window.next_offset:
            # The client went back to the log's beginning: it ends before the window, so it is another log.
            log.warning(
                "%s: the log of %s-%d begins anew: offset %d after %d; was the topic made anew?",
                self.group,
                *partition,
                record.offset,
                held.window.next_offset,
            )
            held = self._member.partitions.begin_anew(partition, record.offset)
        if not held.window.take(record.offset):
            held.dirty = True  # a record finished in an earlier life: the window may have moved
            return
        self._intake.take(record, held)

    def _serve(self) -> None:
        """Give free slots to the records whose turn it is."""
        while self._slots.free and self._sends.free and not self.should_stop:
            arrival = self._intake.next()
            if arrival is None:
                return
            self._start(arrival, self._slots.take())

    def _assigned(self, share: float) -> None:
        self._intake.sweep()
        self._on_share(share)

    def _start(self, arrival: Arrival, slot: Slot) -> None:
        delivery = RecordDelivery(
            record=arrival.record,
            held=arrival.held,
            handler=self._handler,
            producer=self._producer,
            policy=self._policy,
            slot=slot,
            sends=self._sends,
            taken_s=arrival.taken_s,
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
            del self._in_flight[delivery]
            self._intake.done(record, held)
            delivery.slot.release()
            self._serve()


def _never(_topic: str, _tenant: str) -> bool:
    return False


def _place(record: InRecord) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
