"""Reading fetched record batches without trusting what they inflate to, nor how headers are named.

A batch that does not inflate within the bound becomes one record at the batch's last offset: its value is the
batch as it came, its headers say why. So it is dead-lettered like any record, and the partition goes on.

Names of headers are UTF-8, but brokers do not look at them and not every client keeps to it; aiokafka cannot
read such a record, nor what follows it in its batch. It is read with `?` for each byte of such a name.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from schemas.headers import BATCH_OFFSETS, BATCH_REFUSED
from streams.engine.inflation import InflationError, inflate

MAGIC = 2
"""The format since Kafka 0.11, the only one of Kafka 4. Older ones are the client's, without a bound."""
LENGTH_AT, MAGIC_AT, ATTRIBUTES_AT, COUNT_AT, HEADER_BYTES = 8, 16, 21, 57, 61
LENGTH_FROM = 12
"""The length counts what follows it. Source: https://kafka.apache.org/documentation/#recordbatch"""
CODEC_MASK = 0x07
READABLE = bytes(range(0x80)).ljust(0x100, b"?")


class BoundedConsumer(AIOKafkaConsumer):  # type: ignore[misc] # aiokafka ships no types
    """An aiokafka consumer that inflates no batch beyond the bound, and whose errors lose nothing."""

    async def start(self) -> None:
        """Connect."""
        # The client has no place to say it. Its fetcher looks this name up for each answer of a broker.
        fetcher.MemoryRecords = BoundedRecords
        await super().start()

    async def stop(self) -> None:
        """Disconnect, whatever a fetch is doing.

        The client cancels its fetches and awaits them. One that waits to be tried again passes that on, which
        would cancel whoever stops the consumer, and leave the connections open.
        Source: https://github.com/aio-libs/aiokafka/issues/647
        """
        stopping = asyncio.create_task(super().stop())
        await asyncio.wait({stopping})
        if stopping.cancelled():
            await self._client.close()
        else:
            stopping.result()

    def watch_heartbeats(self, answered: Callable[[float], None]) -> None:
        """Tell `answered` when a heartbeat went out (monotonic seconds), once the group has answered it."""
        coordinator = self._coordinator  # no public way: it keeps the time to itself
        send = coordinator._do_heartbeat  # noqa: SLF001

        async def heartbeat() -> bool:
            sent_s = asyncio.get_running_loop().time()
            known: bool = await send()
            if known:
                answered(sent_s)
            return known

        coordinator._do_heartbeat = heartbeat  # noqa: SLF001

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Return fetched records by partition.

        A batch that is damaged raises, and what the client took out of other partitions in the same call is
        gone with the error. So they are put back to where they were, and nothing is lost.
        """
        assignment, before = self._positions()
        try:
            found: dict[TopicPartition, list[ConsumerRecord]] = await super().getmany(
                *partitions, timeout_ms=timeout_ms, max_records=max_records
            )
        except Exception:
            now, after = self._positions()
            for partition in before if now is assignment else ():
                if after.get(partition, before[partition]) != before[partition]:
                    self.seek(partition, before[partition])
            raise
        return found

    def _positions(self) -> tuple[Any, dict[TopicPartition, int]]:
        """Return the assignment and its positions; the public position() waits for those not known yet."""
        subscription = self._subscription.subscription
        assignment = subscription and subscription.assignment
        states = {tp: assignment.state_value(tp) for tp in assignment.tps} if assignment else {}
        return assignment, {tp: state.position for tp, state in states.items() if state.has_valid_position}


class BoundedRecords:
    """The batches of one partition in a broker's answer; aiokafka's MemoryRecords, but for reading.

    Args:
        data: whole batches, and maybe the beginning of another.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._start = 0

    def size_in_bytes(self) -> int:
        """Return how many bytes the broker sent."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        """Return the next batch, or None."""
        start, batch = self._start, self._records.next_batch()
        if batch is None:
            return None
        (length,) = struct.unpack_from(">i", self._data, start + LENGTH_AT)
        self._start = start + LENGTH_FROM + length
        if self._data[start + MAGIC_AT] != MAGIC or batch.is_control_batch:
            return batch
        return DataBatch(batch, self._data, slice(start, self._start))


class DataBatch:
    """A batch whose records are inflated, and their header names looked at, when they are asked for.

    Args:
        batch: the batch as aiokafka sees it.
        data: where the batch's bytes are.
        place: which of them.
    """

    def __init__(self, batch: Any, data: bytes, place: slice) -> None:
        self._batch = batch
        self._data = data
        self._place = place

    def __getattr__(self, name: str) -> Any:
        """Return what the batch's header says."""
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the records, or over the one that stands for them all."""
        if not self._batch.compression_type:
            return self._read(self._batch, self._bytes)
        try:
            inflated = self._inflated()
        except InflationError as error:
            return iter((_refused(self._batch, self._bytes(), error),))
        return self._read(MemoryRecords(inflated).next_batch(), lambda: inflated)

    def _read(self, batch: Iterable[Any], plain: Callable[[], bytes]) -> Iterator[Any]:
        count = 0
        try:
            for record in batch:
                yield record
                count += 1
        except UnicodeDecodeError:
            readable = MemoryRecords(_with_readable_names(plain())).next_batch()
            yield from islice(readable, count, None)

    def _bytes(self) -> bytes:
        return self._data[self._place]

    def _inflated(self) -> bytes:
        """Return the same batch without compression."""
        data = self._bytes()
        records = inflate(self._batch.compression_type, data[HEADER_BYTES:])
        header = bytearray(data[:HEADER_BYTES])
        struct.pack_into(">i", header, LENGTH_AT, HEADER_BYTES - LENGTH_FROM + len(records))
        struct.pack_into(">h", header, ATTRIBUTES_AT, self._batch.attributes & ~CODEC_MASK)
        return b"".join((header, records))


def _with_readable_names(data: bytes) -> bytes:
    """Return the batch, which is not compressed, with `?` for the bytes of header names that are not ASCII.

    Source: https://kafka.apache.org/documentation/#record
    """
    batch, at = bytearray(data), HEADER_BYTES
    (count,) = struct.unpack_from(">i", data, COUNT_AT)
    for _ in range(count):
        length, at = decode_varint(batch, at)
        end, at = at + length, at + 1  # after the attributes
        for _delta in ("timestamp", "offset"):
            _, at = decode_varint(batch, at)
        for _part in ("key", "value"):
            size, at = decode_varint(batch, at)
            at += max(size, 0)  # -1 for none
        headers, at = decode_varint(batch, at)
        for _header in range(headers):
            size, at = decode_varint(batch, at)
            batch[at : at + size] = batch[at : at + size].translate(READABLE)
            size, at = decode_varint(batch, at + size)
            at += max(size, 0)
        at = end
    return bytes(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBatch:
    """Stands for all records of a batch; the fields are those of aiokafka's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: None = None
    value: bytes
    checksum: None = None
    headers: tuple[tuple[str, bytes], ...]


def _refused(batch: Any, data: bytes, error: InflationError) -> RefusedBatch:
    last = batch.next_offset - 1
    return RefusedBatch(
        offset=last,
        timestamp=batch.max_timestamp,
        timestamp_type=batch.timestamp_type,
        value=data,
        headers=(
            (BATCH_OFFSETS, f"{batch.base_offset}-{last}".encode()),
            (BATCH_REFUSED, str(error).encode()),
        ),
    )
