"""A dead-letter topic that cannot be written to: the record waits, says why, is not dropped, and goes on."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from fixtures.broker import until
from fixtures.engine import EngineLine, close_line, open_line
from processors.errors import InvalidInputsError
from processors.gates import Gates
from schemas.why import Cause
from streams.embedded import kafka_files
from streams.embedded.kafka import EmbeddedKafka
from streams.engine.consumer import StageConsumer
from streams.engine.records import InRecord
from streams.why import record_cause

pytestmark = pytest.mark.integration

TRIED_S = 60.0
"""A send gives up after half a minute; some errors are known only then."""
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
TOPIC, LITERAL, WRITE, DENY = 2, 3, 4, 2
"""Numbers of the protocol. Source: https://kafka.apache.org/protocol.html#The_Messages_CreateAcls"""


async def test_a_missing_topic(line: EngineLine) -> None:
    member = await fail_first_of_three(line)

    await waits(line, member, "UnknownTopicOrPartitionError")
    await line.create(line.dead)

    await goes_on(line)


async def test_a_topic_that_takes_nothing_of_that_size(line: EngineLine) -> None:
    await line.admin.create_topics([NewTopic(line.dead, 1, 1, topic_configs={"max.message.bytes": "100"})])
    member = await fail_first_of_three(line)

    await waits(line, member, "EventTooLargeError")
    roomy = {"max.message.bytes": "100000"}
    await line.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, line.dead, configs=roomy)])

    await goes_on(line)


@pytest.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineLine]:
    """A line on a broker of its own that asks its access control lists."""
    plain = kafka_files._SMALL_MACHINE
    monkeypatch.setattr(kafka_files, "_SMALL_MACHINE", plain | AUTHORIZER)
    async with EmbeddedKafka(tmp_path) as kafka:
        opened = await open_line(kafka.bootstrap_servers)
        yield opened
        await close_line(opened)


async def test_a_topic_that_may_not_be_written_to(guarded: EngineLine) -> None:
    line = guarded
    await line.create(line.dead)
    rule = (TOPIC, line.dead, LITERAL, "User:ANONYMOUS", "*", WRITE, DENY)
    await line.admin._send_request(CreateAclsRequest(*rule))
    member = await fail_first_of_three(line)

    await waits(line, member, "TopicAuthorizationFailedError")
    await line.admin._send_request(DeleteAclsRequest(*rule))

    await goes_on(line)


async def fail_first_of_three(line: EngineLine) -> StageConsumer:
    async def behave(record: InRecord) -> None:
        if record.offset == 0:
            raise InvalidInputsError("no city")

    await line.create(line.topic)
    await line.submit([b"bad", b"good", b"good"])
    return await line.join(line.stage("a", behave))


async def waits(line: EngineLine, member: StageConsumer, why: str) -> None:
    """Wait until the first record, and it alone, is unfinished for that reason."""

    def said() -> bool:
        causes = [record_cause(record, Gates()) for record in member.state().records]
        return len(causes) == 1 and _names(causes, line.dead, why)

    await until(said, within_s=TRIED_S)
    await until(lambda: _finished_above(line, {1, 2}))
    assert member.health().waiting == {"send": 1}


def _names(causes: Sequence[tuple[Cause, str]], *parts: str) -> bool:
    [(cause, detail)] = causes
    return cause is Cause.DOWNSTREAM_FULL and all(part in detail for part in parts)


async def _finished_above(line: EngineLine, offsets: set[int]) -> bool:
    return (await line.committed()).get(0) == (0, frozenset(offsets))


async def goes_on(line: EngineLine) -> None:
    await until(lambda: line.has_finished(0, 3), within_s=TRIED_S)
    [letter] = await line.read(line.dead)
    assert letter.value == b"bad"
