"""The control topic: the one place that says what persons hold back, and its own audit.

Why no audit table: a pause must work while PostgreSQL is away, and a second copy could say something else.
Each change is a message; none is compacted for CONTROL_HISTORY_MS, and the newest of each scope stays.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import InvalidMessageError, decode, encode
from schemas.control import ScopeChanged
from schemas.headers import EventHeaders
from streams.engine.producer import RecordProducer
from streams.engine.record_batches import BoundedConsumer
from streams.engine.records import OutRecord
from streams.envelope import child_of
from streams.topics import event_type, topic_name

TOPIC = topic_name(ScopeChanged)
PARTITION = TopicPartition(TOPIC, 0)
SOURCE = "urn:pressline:control"
READ_S_MAX = 30.0
POLL_MS = 200

log = logging.getLogger(__name__)


class ControlReadError(KafkaError):  # type: ignore[misc] # aiokafka ships no types
    """The control topic could not be read to its end: what is held back is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedChange:
    """A change and its offset: changes are in the order of their offsets."""

    offset: int
    change: ScopeChanged


class ControlTail:
    """Reads the control topic from its beginning on; without a group, since every worker reads all of it.

    Args:
        brokers: bootstrap servers.
        client_id: name in the broker's logs.
    """

    def __init__(self, brokers: str, client_id: str) -> None:
        self._consumer: Any = BoundedConsumer(
            bootstrap_servers=brokers,
            client_id=client_id,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()
        self._consumer.assign([PARTITION])

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def read_to_end(self) -> list[PlacedChange]:
        """Return every change up to the topic's present end.

        Raises:
            ControlReadError: the end was not reached within READ_S_MAX seconds.
            KafkaError: the broker does not answer.
        """
        changes: list[PlacedChange] = []
        try:
            async with asyncio.timeout(READ_S_MAX):
                end = (await self._consumer.end_offsets([PARTITION]))[PARTITION]
                while await self._consumer.position(PARTITION) < end:
                    changes += await self.poll()
        except TimeoutError:
            raise ControlReadError(f"{TOPIC} was not read to its end within {READ_S_MAX:g} s") from None
        return changes

    async def poll(self) -> list[PlacedChange]:
        """Return the next changes, none after POLL_MS milliseconds; what is no change is skipped.

        Raises:
            KafkaError: the broker refused.
        """
        batches = await self._consumer.getmany(timeout_ms=POLL_MS)
        return [change for records in batches.values() for change in map(_change, records) if change]


@asynccontextmanager
async def control_tail(brokers: str, client_id: str) -> AsyncIterator[ControlTail]:
    """Lend a tail that is connected.

    Raises:
        KafkaError: the broker does not answer.
    """
    tail = ControlTail(brokers, client_id)
    try:
        await tail.start()
        yield tail
    finally:
        await tail.stop()


async def append(brokers: str, client_id: str, changes: Sequence[ScopeChanged]) -> None:
    """Write changes; every worker follows them from its next poll on.

    Raises:
        KafkaError: the broker did not take them all.
    """
    producer = RecordProducer(brokers, client_id)
    try:
        await producer.start()
        await producer.send([control_record(change) for change in changes])
    finally:
        await producer.stop()


def control_record(change: ScopeChanged) -> OutRecord:
    """Return the record that carries a change; its key is the scope, so that compaction keeps the newest."""
    key = f"{change.kind}:{change.name}"
    headers = EventHeaders(
        id=f"{key}.{change.at.isoformat()}",
        type=event_type(ScopeChanged),
        source=SOURCE,
        time=change.at,
        subject=key,
        traceparent=child_of(None),
    )
    return OutRecord(topic=TOPIC, key=key.encode(), value=encode(change), headers=headers.to_record())


def _change(record: Any) -> PlacedChange | None:
    try:
        return PlacedChange(offset=record.offset, change=decode(record.value, ScopeChanged))
    except InvalidMessageError as error:
        log.warning("%s@%d is skipped: %s", TOPIC, record.offset, error)
        return None
