"""The control topic on real Kafka: read before work is taken, followed afterwards, kept as its own audit."""

from datetime import UTC, datetime

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from fixtures.broker import TOPIC_PARTITIONS, until
from processors.gates import Gates
from schemas.control import ControlAction, ScopeChanged
from schemas.scope import Scope, ScopeKind
from streams.control import ControlReader
from streams.control_topic import TOPIC, ControlTail, append, control_tail
from streams.embedded.kafka import EmbeddedKafka
from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord
from streams.topic_admin import create_missing, describe

pytestmark = pytest.mark.integration
GENERATE = Scope(ScopeKind.STAGE, "generate")


@pytest.fixture
async def brokers(kafka: EmbeddedKafka) -> str:
    """The broker with an open gate: what other tests held back is let go."""
    await create_missing(kafka.bootstrap_servers, TOPIC_PARTITIONS, 1)
    await put(kafka.bootstrap_servers, ControlAction.RESUMED)
    return kafka.bootstrap_servers


async def put(brokers: str, action: ControlAction, scope: Scope = GENERATE) -> None:
    change = ScopeChanged(kind=scope.kind, name=scope.name, action=action, by="ann", at=datetime.now(UTC))
    await append(brokers, "test", [change])


async def test_the_topic_has_one_partition_and_keeps_the_newest_of_each_key(brokers: str) -> None:
    [state] = [state for state in await describe(brokers) if state.topic.name == TOPIC]
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
    finally:
        await admin.close()
    configs = {entry[0]: entry[1] for entry in answer.resources[0][4]}

    assert state.partitions == 1
    assert (configs["cleanup.policy"], configs["min.compaction.lag.ms"]) == ("compact", "31536000000")


async def test_a_reader_has_closed_what_is_held_when_its_start_is_done(brokers: str) -> None:
    await put(brokers, ControlAction.PAUSED)
    gates, resumed = Gates(), list[Scope]()
    reader = ControlReader(ControlTail(brokers, "w1"), "w1", gates, resumed.append)

    async with reader:
        assert "paused by ann" in (gates.why(GENERATE) or "")

        await put(brokers, ControlAction.RESUMED)
        await until(lambda: gates.why(GENERATE) is None)
        await until(lambda: resumed[-1:] == [GENERATE])


async def test_what_is_no_change_is_skipped(brokers: str) -> None:
    producer = RecordProducer(brokers, "test")
    await producer.start()
    await producer.send([OutRecord(topic=TOPIC, key=b"x", value=value) for value in (b"{", None)])
    await producer.stop()
    await put(brokers, ControlAction.DRAINED)

    async with control_tail(brokers, "test") as tail:
        placed = await tail.read_to_end()

    assert placed[-1].change.action is ControlAction.DRAINED
