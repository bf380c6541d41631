"""Reading the dead-letter topics from their beginnings to where they end now."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from streams.dead_letters import STAGES, DeadLetter, Position, Wanted, parse
from streams.engine.record_batches import BoundedConsumer
from streams.engine.timestamps import moment
from streams.store.replays import PostgresReplays
from streams.topic_admin import describe

RECORDS_MAX = 500
POLL_S = 0.5
STALL_S_MAX = 30.0
"""Without one record for so long the scan fails: its end is fixed, so it moves or the broker is away."""


class DeadLetterSearch:
    """An asynchronous iterator over batches of the wanted dead letters; a batch may be empty.

    Bounded by the end offsets at the start: what arrives later is not looked at. Reads without a group, so
    that looking leaves no trace on the broker.

    Args:
        brokers: bootstrap servers, `host:port` joined by commas.
        replays: which letters were sent back.
        wanted: which letters to return.
    """

    def __init__(self, brokers: str, replays: PostgresReplays, wanted: Wanted) -> None:
        self.scanned = 0
        self._brokers = brokers
        self._replays = replays
        self._wanted = wanted
        self._ends: dict[TopicPartition, int] = {}
        self._consumer: Any = None

    async def start(self) -> None:
        """Connect, and fix where the scan ends.

        Raises:
            KafkaError: the broker does not answer.
        """
        partitions = await self._partitions()
        self._consumer = BoundedConsumer(
            bootstrap_servers=self._brokers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await self._consumer.start()
        if partitions:
            firsts = await self._consumer.beginning_offsets(partitions)
            await self._assign(firsts, await self._consumer.end_offsets(partitions))

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Sequence[DeadLetter]:
        """Return the next letters, with `replayed_at` where they were sent back.

        Raises:
            KafkaError: the broker does not answer, or nothing came for STALL_S_MAX seconds.
            StoreUnavailableError: the database is away.
        """
        stalled_s = time.monotonic() + STALL_S_MAX
        while self._ends:
            records = await self._poll()
            if records:
                self.scanned += len(records)
                return await self._matching(_letter(record) for record in records)
            if time.monotonic() > stalled_s:
                raise KafkaTimeoutError(
                    f"no record for {STALL_S_MAX:.0f} s, {len(self._ends)} partitions are not read to the end"
                )
        raise StopAsyncIteration

    async def _partitions(self) -> list[TopicPartition]:
        counts = {state.topic.name: state.partitions or 0 for state in await describe(self._brokers)}
        wanted = {position.topic for position in self._wanted.positions} or set(STAGES)
        topics = [topic for topic, stage in STAGES.items() if self._wanted.stage in (None, stage)]
        return [
            TopicPartition(topic, number)
            for topic in topics
            if topic in wanted
            for number in range(counts.get(topic, 0))
        ]

    async def _assign(self, firsts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        spans = {tp: self._span(tp, firsts[tp], end) for tp, end in ends.items()}
        self._ends = {tp: end for tp, (first, end) in spans.items() if first < end}
        self._consumer.assign(list(self._ends))
        for tp in self._ends:
            self._consumer.seek(tp, spans[tp][0])

    def _span(self, tp: TopicPartition, first: int, end: int) -> tuple[int, int]:
        """Return first offset and end, narrowed to the positions that are asked for, if any are."""
        positions = self._wanted.positions
        if not positions:
            return first, end
        offsets = [place.offset for place in positions if (place.topic, place.partition) == tp]
        return max(first, min(offsets, default=end)), min(end, max(offsets, default=-1) + 1)

    async def _poll(self) -> list[ConsumerRecord]:
        batches = await self._consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=RECORDS_MAX)
        records = [
            record
            for tp, found in batches.items()
            for record in found
            if tp in self._ends and record.offset < self._ends[tp]
        ]
        for tp in list(self._ends):
            # The position, not the last record: a transaction's marker has an offset and is no record.
            if await asyncio.wait_for(self._consumer.position(tp), STALL_S_MAX) >= self._ends[tp]:
                del self._ends[tp]
                self._consumer.pause(tp)
        return records

    async def _matching(self, letters: Iterable[DeadLetter]) -> Sequence[DeadLetter]:
        found = [letter for letter in letters if self._wanted.includes(letter)]
        times = await self._replays.replayed_at([letter.position for letter in found]) if found else {}
        return [replace(letter, replayed_at=times.get(letter.position)) for letter in found]


def _letter(record: ConsumerRecord) -> DeadLetter:
    position = Position(record.topic, record.partition, record.offset)
    return parse(position, record.key, record.value, record.headers, moment(record.timestamp))
