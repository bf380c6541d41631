"""The redelivery: takes records that waited in a tier back to the topics that they came from (Delayer).

It looks at the head of each partition only. Until the head may leave, that partition is paused, never the
consumer: the others go on, and the group sees a member that polls. A record is sent, acknowledged, and only
then committed. After a crash in between it is sent twice, which is harmless: both have one event id, the
journal has one answer for them, and the sink takes their page once.

Nothing is remembered over a rebalance. Whoever gets a partition reads its head again, whose headers say when
it is due: a pause that outlived its partition would never end.
Source: https://github.com/spring-projects/spring-kafka/issues/2525
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import ConsumerStoppedError, KafkaError
from mode import Service

from processors.errors import EventTooLargeError, InvalidRecordError, StoreUnavailableError
from streams.claim_checks import ClaimStore
from streams.engine.producer import RecordProducer
from streams.engine.record_batches import BoundedConsumer
from streams.engine.records import InRecord, in_record
from streams.engine.timestamps import moment
from streams.redelivery_endings import ending
from streams.redelivery_routes import Routes

GROUP = "pressline-redelivery"
POLL_S = 0.5
RECORDS_MAX = 100
"""Most records that a crash between send and commit sends twice."""
SEND_S_MAX = 60.0
BACKOFF_S = 2.0
STOP_S_MAX = 10.0

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Held:
    """What is known of the partitions of one assignment; dropped with it.

    Attributes:
        resume_s: loop time at which a paused partition goes on.
        sent: the next offset of each partition with records that are sent and not committed.
        ahead: offsets of records that are sent, behind one that could not be; RECORDS_MAX of a partition.
    """

    resume_s: dict[TopicPartition, float] = field(default_factory=dict)
    sent: dict[TopicPartition, int] = field(default_factory=dict)
    ahead: defaultdict[TopicPartition, set[int]] = field(default_factory=lambda: defaultdict(set))


class Redelivery(Service):  # type: ignore[misc] # mode ships no types
    """One member of the group that empties the tiers.

    Args:
        brokers: bootstrap servers, `host:port` joined by commas.
        client_id: name in the broker's logs.
        routes: the tiers, and where their records go.
        producer: sends them; started before and stopped after this service.
        claims: where events are that were too large to travel.
        session_timeout_s: seconds without heartbeat until the group gives our partitions away.
        on_sent: told the topic of each record that was sent.
    """

    def __init__(  # noqa: PLR0913 - every part that it works with
        self,
        brokers: str,
        client_id: str,
        routes: Routes,
        producer: RecordProducer,
        claims: ClaimStore,
        *,
        session_timeout_s: float,
        on_sent: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._routes = routes
        self._producer = producer
        self._claims = claims
        self._on_sent = on_sent
        self._held = _Held()
        self._at_work = asyncio.Lock()
        self._consumer = BoundedConsumer(
            bootstrap_servers=brokers,
            group_id=routes.group,
            client_id=client_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=int(session_timeout_s * 1000),
            heartbeat_interval_ms=int(session_timeout_s / 5 * 1000),
        )

    async def on_start(self) -> None:
        """Join the group."""
        self._consumer.subscribe([tier.topic for tier in self._routes.tiers], listener=_Forgetful(self))
        await self._consumer.start()

    async def on_stop(self) -> None:
        """Let the sends that run end and be committed, for a while, and leave the group."""
        try:
            await asyncio.wait_for(self._at_work.acquire(), STOP_S_MAX)
        except TimeoutError:
            log.warning("records of retry topics were being sent at the stop, and may be sent again")
        await self._consumer.stop()

    async def leave(self) -> None:
        """Commit what was sent and forget everything else about the partitions."""
        held, self._held = self._held, _Held()
        try:
            await self._commit(held)
        except KafkaError as error:
            log.warning("records of retry topics were sent, not committed, and come again: %r", error)

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            try:
                await self._round()
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                log.warning("retry topics could not be read or committed, will try again: %r", error)
                await self.sleep(BACKOFF_S)

    async def _round(self) -> None:
        batches = await self._consumer.getmany(timeout_ms=self._resume(), max_records=RECORDS_MAX)
        async with self._at_work:
            held = self._held
            await asyncio.gather(*(self._take(held, tp, records) for tp, records in batches.items()))
            if held is self._held:
                await self._commit(held)

    def _resume(self) -> int:
        """Let partitions go on whose head may leave; return the milliseconds to the next, POLL_S at most."""
        now_s, resume_s = asyncio.get_running_loop().time(), self._held.resume_s
        for partition in [partition for partition, at_s in resume_s.items() if at_s <= now_s]:
            del resume_s[partition]
            self._consumer.resume(partition)
        next_s = min((at_s - now_s for at_s in resume_s.values()), default=POLL_S)
        return math.ceil(min(next_s, POLL_S) * 1000)

    async def _take(self, held: _Held, partition: TopicPartition, raw: Sequence[ConsumerRecord]) -> None:
        """Send the records that may leave, up to the first that may not; there the partition is paused."""
        now, ready = datetime.now(UTC), []
        for one in raw:
            record = in_record(one)
            wait_s = (self._routes.leaves_at(record, moment(one.timestamp), now) - now).total_seconds()
            if wait_s > 0:
                self._pause(held, partition, one.offset, wait_s)
                break
            ready.append(record)
        ahead = held.ahead[partition]
        ahead.update(await self._sent([record for record in ready if record.offset not in ahead], now))
        for record in ready:
            if record.offset not in ahead:
                self._pause(held, partition, record.offset, BACKOFF_S)
                break
            ahead.remove(record.offset)
            held.sent[partition] = record.offset + 1

    def _pause(self, held: _Held, partition: TopicPartition, offset: int, wait_s: float) -> None:
        """Let the partition go on with the record at `offset` after `wait_s` seconds."""
        if held is not self._held:
            return  # a rebalance came between; whoever has the partition now reads its head again
        self._consumer.seek(partition, offset)
        self._consumer.pause(partition)
        held.resume_s[partition] = asyncio.get_running_loop().time() + wait_s

    async def _sent(self, records: Sequence[InRecord], now: datetime) -> set[int]:
        """Send side by side; return the offsets of those that the broker has acknowledged."""
        sends = await asyncio.gather(*(self._send_in_time(record, now) for record in records))
        return {record.offset for record, sent in zip(records, sends, strict=True) if sent}

    async def _send_in_time(self, record: InRecord, now: datetime) -> bool:
        """Return whether the broker has acknowledged it in SEND_S_MAX seconds."""
        try:
            async with asyncio.timeout(SEND_S_MAX):
                await self._send(record, now)
        except (KafkaError, StoreUnavailableError, TimeoutError) as error:
            log.warning("a record of a retry topic could not be sent, trying again: %r", error)
            return False
        return True

    async def _send(self, record: InRecord, now: datetime) -> None:
        try:
            out = self._routes.next_of(record, now)
            await self._producer.send([out])
        except (InvalidRecordError, EventTooLargeError) as error:
            # Nobody takes the record from now on: what becomes of its task is told here.
            out = self._routes.dead(record, error, now)
            await self._producer.send([out, *await ending(record, error, self._claims)])
        self._on_sent(out.topic)

    async def _commit(self, held: _Held) -> None:
        sent = dict(held.sent)
        if sent:
            await self._consumer.commit(sent)
            held.sent = {tp: offset for tp, offset in held.sent.items() if sent.get(tp) != offset}


class _Forgetful(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types for it
    def __init__(self, redelivery: Redelivery) -> None:
        self._redelivery = redelivery

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        del revoked  # the eager protocol takes all
        await self._redelivery.leave()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        del assigned  # heads are read again: aiokafka starts them at the committed offset, unpaused
