"""A batch of a retry topic of which the broker takes a part."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

import streams.redelivery
from fakes.claim_store import FakeClaimStore
from fakes.record_producer import FakeRecordProducer
from processors.disposition import Postpone
from schemas.failures import FailureReason
from streams.engine.records import Attempts, InRecord, OutRecord, Postponement
from streams.engine.tiers import Tier, tier_record
from streams.redelivery import Redelivery
from streams.redelivery_routes import Routes

TIER = Tier(topic="retry", length_s=60.0)
ORIGIN = "in"
PARTITION = TopicPartition(TIER.topic, 0)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class RefusingProducer(FakeRecordProducer):
    """Its broker refuses the records with these values."""

    def __init__(self, *values: bytes) -> None:
        super().__init__()
        self.refused = set(values)

    async def send(self, records: Sequence[OutRecord]) -> None:
        if {record.value for record in records} & self.refused:
            raise KafkaTimeoutError("refused")
        await super().send(records)


class FakeConsumer:
    def __init__(self) -> None:
        self.position: dict[TopicPartition, int] = {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position[partition] = offset

    def pause(self, partition: TopicPartition) -> None:
        """Nothing is read here."""


def a_batch(count: int) -> list[Any]:
    """Records that are due, as aiokafka has them."""
    postponement = Postponement(
        disposition=Postpone(1.0, FailureReason.PROVIDER_RATE_LIMITED), attempts=Attempts(), at=LONG_AGO
    )
    batch = []
    for offset in range(count):
        record = InRecord(
            topic=ORIGIN, partition=0, offset=offset, key=b"k", value=b"%d" % offset, headers=()
        )
        out = tier_record(record, postponement, [TIER])
        batch.append(
            SimpleNamespace(
                topic=TIER.topic,
                partition=0,
                offset=offset,
                key=out.key,
                value=out.value,
                headers=out.headers,
                timestamp=int(LONG_AGO.timestamp() * 1000),
            )
        )
    return batch


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> FakeConsumer:
    consumer = FakeConsumer()
    monkeypatch.setattr(streams.redelivery, "BoundedConsumer", lambda **_: consumer)
    return consumer


def a_redelivery(producer: FakeRecordProducer) -> Redelivery:
    routes = Routes(tiers=[TIER], origins=frozenset({ORIGIN}), dead_topic="dead", group="g")
    claims = FakeClaimStore()
    return Redelivery(
        "nowhere:9092", "c", routes, producer, claims, session_timeout_s=6.0, on_sent=lambda _: None
    )


@pytest.mark.parametrize(
    ("refused", "sent", "goes_on_at"),
    [((), 4, None), ((b"2",), 2, 2), ((b"1", b"3"), 1, 1), ((b"0",), None, 0)],
)
async def test_a_partition_goes_on_with_the_first_record_that_the_broker_refused(
    refused: tuple[bytes, ...], sent: int | None, goes_on_at: int | None, consumer: FakeConsumer
) -> None:
    redelivery = a_redelivery(RefusingProducer(*refused))
    held = redelivery._held

    await redelivery._take(held, PARTITION, a_batch(4))

    assert held.sent.get(PARTITION) == sent
    assert consumer.position.get(PARTITION) == goes_on_at


async def test_what_the_broker_took_behind_a_refused_record_is_not_sent_again(consumer: FakeConsumer) -> None:
    producer = RefusingProducer(b"1", b"3")
    redelivery = a_redelivery(producer)
    held = redelivery._held

    await redelivery._take(held, PARTITION, a_batch(4))
    producer.refused.clear()
    await redelivery._take(held, PARTITION, a_batch(5)[consumer.position[PARTITION] :])

    assert [record.value for record in producer.sent] == [b"0", b"2", b"1", b"3", b"4"]
    assert held.sent[PARTITION] == 5
    assert not held.ahead[PARTITION]
