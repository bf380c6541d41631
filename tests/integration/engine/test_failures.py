"""What fails on a real broker: retried without a slot, in order of its key, dead-lettered as it was."""

import asyncio
import secrets
from collections import Counter
from dataclasses import replace

import pytest
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry

from builders import a_classified, a_submitted
from fakes.claim_store import FakeClaimStore
from fakes.engine_stage import Gate
from fakes.stage_ports import a_recipe, some_ports
from fixtures.broker import until
from fixtures.engine import EngineLine
from processors.errors import InvalidInputsError, ProviderTimeoutError, ProviderUnavailableError
from processors.ports import Ports
from schemas.base import Stage
from schemas.events import TaskClassified, TaskSubmitted
from schemas.headers import text_headers
from streams.engine.intake import Ordering
from streams.engine.records import InRecord, OutRecord
from streams.envelope import Lineage, event_record
from streams.pipeline import PIPELINE
from streams.stage_handler import StageHandler
from streams.telemetry import Telemetry
from streams.topic_admin import create_missing

pytestmark = pytest.mark.integration

UNTOUCHED = b'\xff\x00 {"a":  1}\r\n'


async def test_a_retry_waits_without_a_slot(line: EngineLine) -> None:
    stage = line.stage()

    async def behave(record: InRecord) -> None:
        if record.offset == 0 and len(stage.ended) < 5:
            raise ProviderUnavailableError("busy", retry_after_s=1.0)

    stage.behaviour = behave
    await line.create(line.topic)
    await line.submit([f"{n}".encode() for n in range(6)])

    await line.join(stage, in_flight_max=1)

    await until(lambda: line.has_finished(0, 6))
    assert stage.calls == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 0)]
    assert stage.at_once_max == 1


async def test_attempts_are_bounded_and_end_in_a_dead_letter_that_is_the_record_as_it_was(
    line: EngineLine,
) -> None:
    async def fail(_: InRecord) -> None:
        raise ProviderTimeoutError("no answer in 9 s")

    await line.create(line.topic, 2)
    await line.create(line.dead, 2)
    sent = OutRecord(
        topic=line.topic, key=b"k\xff", value=UNTOUCHED, headers=(("x", b"\xfe"), ("x", b"2")), partition=1
    )
    await line.producer.send([sent])
    stage = line.stage("a", fail)

    await line.join(stage)

    await until(lambda: line.has_finished(1, 1))
    [letter] = await line.read(line.dead)
    headers = text_headers(letter.headers)
    assert stage.calls == [(1, 0)] * 3
    assert (letter.key, letter.value, letter.partition) == (b"k\xff", UNTOUCHED, 1)
    assert letter.headers[:2] == (("x", b"\xfe"), ("x", b"2"))
    assert {
        name.removeprefix("__dlq.errors."): headers[name] for name in headers if name.startswith("__dlq")
    }.items() >= {
        "topic": line.topic,
        "partition": "1",
        "offset": "0",
        "delivery.count": "3",
        "attempts": "3",
        "reason": "provider_timeout",
        "retriable": "true",
        "exception.class.name": "ProviderTimeoutError",
        "message": "no answer in 9 s",
    }.items()


async def test_of_one_key_one_record_at_a_time_is_worked_on_and_others_go_on(line: EngineLine) -> None:
    stage, failures, order = line.stage(), Counter[bytes](), []
    at_work: set[bytes] = set()

    async def behave(record: InRecord) -> None:
        key = record.key or b""
        assert key not in at_work
        at_work.add(key)
        await asyncio.sleep(0.01)
        at_work.discard(key)
        if record.value == b"a0" and failures[key] < 2:
            failures[key] += 1
            raise ProviderUnavailableError("busy", retry_after_s=1.0)
        order.append((record.value or b"").decode())

    stage.behaviour = behave
    await line.create(line.topic)
    for number in range(10):
        for key in (b"a", b"b", b"c"):
            await line.submit([key + str(number).encode()], key=key)

    await line.join(stage, ordering=Ordering.KEY)

    await until(lambda: line.has_finished(0, 30))
    assert failures == {b"a": 2}
    for letter in "abc":
        assert [name for name in order if name[0] == letter] == [f"{letter}{number}" for number in range(10)]
    assert max(order.index("b9"), order.index("c9")) < order.index("a0")


async def test_a_missing_dead_letter_topic_keeps_the_record_unfinished_until_it_is_there(
    line: EngineLine,
) -> None:
    async def behave(record: InRecord) -> None:
        if record.offset == 0:
            raise InvalidInputsError("no city")

    await line.create(line.topic)
    await line.submit([b"bad", b"good", b"good"])
    member = await line.join(line.stage("a", behave))
    await until(lambda: _finished_above(line, {1, 2}))
    waiting = member.health().waiting

    await line.create(line.dead)

    await until(lambda: line.has_finished(0, 3), within_s=60)
    [letter] = await line.read(line.dead)
    assert waiting == {"send": 1}
    assert letter.value == b"bad"


async def _finished_above(line: EngineLine, offsets: set[int]) -> bool:
    return (await line.committed()).get(0) == (0, frozenset(offsets))


async def test_a_call_that_outlives_the_drain_leaves_its_record_unfinished(line: EngineLine) -> None:
    gate = Gate()
    await line.create(line.topic)
    await line.submit([b"v"])
    stage = line.stage("a", gate)
    member = await line.join(stage, drain_s_max=0.2)
    await until(lambda: stage.now)

    await member.stop()

    assert await line.outputs() == []
    assert await line.finished() == set()


async def test_poison_is_dead_lettered_and_good_records_beside_it_go_on(line: EngineLine) -> None:
    await create_missing(line.brokers, 2, 1)
    await line.create(line.topic)
    good = event_record(a_submitted(), Lineage(source="urn:test"))
    poison: list[bytes | None] = [
        None,
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b'{"task":1,"task":2}',
        b"NaN",
        b"[" * 5000,
    ]
    mark = secrets.token_hex(8).encode()
    records = [
        OutRecord(topic=line.topic, key=mark, value=value, headers=good.headers, partition=0)
        for value in (*poison, good.value)
    ]
    foreign = OutRecord(topic=line.topic, key=mark, value=good.value, partition=0)
    await line.producer.send([*records, foreign])
    handler = StageHandler(
        spec=replace(PIPELINE[Stage.CLASSIFY], run=_classified),
        ports=some_ports(recipe=a_recipe()),
        telemetry=Telemetry(CollectorRegistry()),
        claims=FakeClaimStore(),
    )

    await line.join(handler)

    await until(lambda: line.has_finished(0, len(poison) + 2))
    letters = [record for record in await line.read("pressline.classify.dead.v1") if record.key == mark]
    assert Counter(letter.value for letter in letters) == Counter(
        [*poison, good.value]
    )  # one good value: headers were missing
    assert {_reason(letter) for letter in letters} == {"invalid_message"}


async def _classified(event: TaskSubmitted, _ports: Ports) -> TaskClassified:
    return a_classified(task=event.task)


def _reason(letter: ConsumerRecord) -> str:
    return text_headers(letter.headers)["__dlq.errors.reason"]
