"""What a broker can do of what the engine relies on, found out at the start: not every Kafka is Apache's."""

import logging
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, OffsetAndMetadata, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    OffsetMetadataTooLargeError,
    UnsupportedVersionError,
)

from streams.engine.commit_metadata import METADATA_BYTES_MAX
from streams.engine.record_batches import BoundedConsumer

PROBE_GROUP = "pressline-probe"
PROBED_BYTES = (METADATA_BYTES_MAX, 2048, 1024, 512, 128)
"""Sizes of commit metadata that are tried, in bytes of text; a broker may take less than Kafka's default."""
REFUSALS = (ClusterAuthorizationFailedError, IncompatibleBrokerVersion, UnsupportedVersionError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAbilities:
    """What the broker does for us.

    Attributes:
        metadata_bytes_max: most bytes of commit metadata that it keeps; 0 when it drops them.
        idempotent: whether it takes an idempotent producer.
    """

    metadata_bytes_max: int = METADATA_BYTES_MAX
    idempotent: bool = True

    @property
    def weaker(self) -> tuple[str, ...]:
        """Return what does not hold on this broker, each as one line; empty when all does."""
        lines = []
        if self.metadata_bytes_max < METADATA_BYTES_MAX:
            lines.append(
                f"the broker keeps {self.metadata_bytes_max} bytes of commit metadata, expected"
                f" {METADATA_BYTES_MAX}: records that finished out of order are done again after a restart or"
                " a move; paid answers come from the journal and pages stay as they are; raise"
                " offset.metadata.max.bytes where it can be set"
            )
        if not self.idempotent:
            lines.append(
                "the broker refuses an idempotent producer: after a lost acknowledgement an event can stand"
                " in a topic twice and out of order; its second copy leads to no second effect"
            )
        return tuple(lines)


async def probe(brokers: str, topic: str) -> BrokerAbilities:
    """Try out what the engine relies on.

    Args:
        brokers: bootstrap servers, `host:port` joined by commas.
        topic: any topic that is there; offset 0 is committed for PROBE_GROUP, nothing is read or sent.

    Raises:
        KafkaError: the broker is away, or refuses the probe as such.
    """
    return BrokerAbilities(
        metadata_bytes_max=await _kept_metadata(brokers, TopicPartition(topic, 0)),
        idempotent=await _takes_idempotent(brokers),
    )


async def _kept_metadata(brokers: str, partition: TopicPartition) -> int:
    consumer = BoundedConsumer(bootstrap_servers=brokers, group_id=PROBE_GROUP, enable_auto_commit=False)
    consumer.assign([partition])
    await consumer.start()
    try:
        for size in PROBED_BYTES:
            if await _keeps(consumer, partition, "p" * size):
                return size
    finally:
        await consumer.stop()
    return 0


async def _keeps(consumer: BoundedConsumer, partition: TopicPartition, text: str) -> bool:
    try:
        await consumer.commit({partition: OffsetAndMetadata(0, text)})
    except OffsetMetadataTooLargeError:
        return False
    # The public committed() drops the metadata, which is what is wanted here.
    commits = await consumer._coordinator.fetch_committed_offsets([partition])  # noqa: SLF001
    kept = commits.get(partition)
    return kept is not None and bool(kept.metadata == text)


async def _takes_idempotent(brokers: str) -> bool:
    producer = AIOKafkaProducer(bootstrap_servers=brokers, enable_idempotence=True)
    try:
        await producer.start()
    except REFUSALS as error:
        log.warning("the broker refused an idempotent producer: %r", error)
        return False
    finally:
        await producer.stop()
    return True
