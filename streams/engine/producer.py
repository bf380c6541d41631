"""Sending: a record counts as sent when the broker has acknowledged it."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    UnknownTopicOrPartitionError,
)

from processors.errors import EventTooLargeError, StoreUnavailableError
from streams.engine.records import OutRecord

REQUEST_BYTES_MAX = 6 * 1_048_576
REQUEST_S_MAX = 30.0
BATCH_BYTES = 524_288
"""Half of what a broker's topics take by default. Nothing waits for a batch to fill; but who finds one full
waits together with all others, and each batch that leaves wakes them all: many small ones cost a second for
each ten thousand results that come at once."""
BACKOFF_S = 0.2
BACKOFF_S_MAX = 5.0
Waits = tuple[type[Exception], ...]
SENDING_WAITS: Waits = (KafkaError, StoreUnavailableError)
"""What is waited for: the broker, and the store that values go to which are too large for it."""
LEAVING_WAITS: Waits = (*SENDING_WAITS, EventTooLargeError)
"""The same for what is left of a record that is given up or postponed: there is nothing smaller to send, and
dropping it is no way out. An operator who raises the topic's `max.message.bytes` lets it go on."""

log = logging.getLogger(__name__)


class RecordProducer:
    """One producer with acks=all.

    Args:
        brokers: bootstrap servers, `host:port` joined by commas.
        client_id: name in the broker's logs.
        idempotent: whether the broker takes an idempotent one.
    """

    def __init__(self, brokers: str, client_id: str, *, idempotent: bool = True) -> None:
        self._brokers = brokers
        self._client_id = client_id
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=self._idempotent,
            max_request_size=REQUEST_BYTES_MAX,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=int(REQUEST_S_MAX * 1000),
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Flush what is queued and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Send and wait until the broker has acknowledged every record.

        Raises:
            EventTooLargeError: a record is larger than its topic takes.
            KafkaError: the broker did not take one; some of the others may be sent.
        """
        if self._producer is None:
            raise RuntimeError("RecordProducer.send before start")
        try:
            # The inner await only queues; the future that it returns is the broker's acknowledgement.
            if len(records) == 1:
                # Most records lead to one; a gather for it would cost a tenth of the engine's time.
                await (await self._queue(self._producer, records[0]))
            else:
                await asyncio.gather(*[await self._queue(self._producer, record) for record in records])
        except (MessageSizeTooLargeError, RecordTooLargeError) as error:
            sizes = [len(record.value or b"") for record in records]
            raise EventTooLargeError(f"values of {sizes} bytes are larger than the topic takes") from error

    async def _queue(self, producer: AIOKafkaProducer, record: OutRecord) -> "asyncio.Future[object]":
        if record.partition is not None:
            await _know(producer, record.topic, record.partition)
        queued: asyncio.Future[object] = await producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
        return queued


async def _know(producer: AIOKafkaProducer, topic: str, partition: int) -> None:
    """Look again for a partition that was added lately; aiokafka asserts that it knows it."""
    if partition in await producer.partitions_for(topic):
        return
    await producer.client.force_metadata_update()
    if partition not in await producer.partitions_for(topic):
        raise UnknownTopicOrPartitionError(f"{topic} has no partition {partition}: `pressline topics --grow`")


async def send_until(
    producer: RecordProducer,
    records: Sequence[OutRecord],
    closing: asyncio.Event,
    *,
    waits: Waits = SENDING_WAITS,
    on_error: Callable[[Exception], object] = lambda _: None,
) -> bool:
    """Send, again and again while the broker is away, or has no such topic, no right or no room for it.

    Bounded by `closing`, which is set when the partition is lost or the worker stops: a record whose results
    cannot be sent stays unfinished and is never dropped.

    Args:
        producer: sends.
        records: what to send.
        closing: ends the waiting.
        waits: failures after which it is tried again.
        on_error: told each of them.

    Returns:
        Whether everything was acknowledged.

    Raises:
        EventTooLargeError: a record is larger than its topic takes, unless that is waited for.
    """
    delay_s = BACKOFF_S
    while True:
        try:
            await producer.send(records)
        except waits as error:
            on_error(error)
            log.warning("sending to %s failed, trying again: %r", {r.topic for r in records}, error)
        else:
            return True
        try:
            await asyncio.wait_for(closing.wait(), random.uniform(0.5, 1.0) * delay_s)  # noqa: S311 - jitter
        except TimeoutError:
            delay_s = min(BACKOFF_S_MAX, delay_s * 2)
        else:
            return False
