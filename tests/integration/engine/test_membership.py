"""Restarts that move nothing, and partitions that are added while consumers run, on real Kafka."""

import asyncio
import os
import signal
from collections import Counter

import pytest
from aiokafka.admin import NewPartitions

from fakes.engine_stage import Gate
from fixtures.broker import until
from fixtures.engine import EngineLine
from streams.embedded.kafka import EmbeddedKafka

pytestmark = pytest.mark.integration
PARTITIONS = 4
SESSION_S = 2.0


async def _both_hold_half(line: EngineLine) -> bool:
    return [member.health().assigned for member in line.members] == [PARTITIONS // 2] * 2


async def test_a_restart_under_the_same_name_moves_no_partition(line: EngineLine) -> None:
    await line.create(line.topic, PARTITIONS)
    shares: list[float] = []
    session = {"session_timeout_s": 30.0}
    old = await line.join(line.stage("a"), group={**session, "instance_id": "a"})
    other = await line.join(line.stage("b"), group={**session, "instance_id": "b"}, on_share=shares.append)
    await until(lambda: _both_hold_half(line))
    kept, assignments = {p for p, _ in old._member.partitions.items()}, len(shares)

    await old.stop()
    line.members.remove(old)
    again = await line.join(line.stage("a"), group={**session, "instance_id": "a"})
    await until(lambda: again.health().assigned)

    for partition in range(PARTITIONS):
        await line.submit([b"%d" % partition], partition=partition)
    await until(lambda: _outputs(line, PARTITIONS))
    assert {p for p, _ in again._member.partitions.items()} == kept
    assert (len(shares), other.health().assigned) == (assignments, PARTITIONS // 2)


async def test_without_a_name_a_restart_moves_partitions(line: EngineLine) -> None:
    await line.create(line.topic, PARTITIONS)
    shares: list[float] = []
    old = await line.join(line.stage("a"))
    await line.join(line.stage("b"), on_share=shares.append)
    await until(lambda: _both_hold_half(line))
    assignments = len(shares)

    await old.stop()

    await until(lambda: len(shares) > assignments)


async def test_records_of_added_partitions_are_processed_and_calls_survive(
    line: EngineLine,
) -> None:
    await line.create(line.topic, 1)
    gate, stage = Gate(), line.stage()
    stage.behaviour = gate
    fresh = {"metadata_age_s_max": 1.0}
    await line.join(stage, group=fresh)
    await line.submit([b"old-1", b"old-2"])
    await until(lambda: len(stage.now) == 2)

    await line.admin.create_partitions({line.topic: NewPartitions(3)})
    await until(lambda: line.members[0].health().assigned == 3)
    await line.producer.stop()
    await line.producer.start()  # knows the new partitions
    for partition in (1, 2):
        await line.submit([b"new-%d" % partition], partition=partition)
    gate.open()

    await until(lambda: _outputs(line, 4))
    await asyncio.sleep(0.5)
    assert Counter(await line.outputs()) == Counter(["a:old-1", "a:old-2", "a:new-1", "a:new-2"])
    assert len(stage.calls) == 4


async def test_a_share_rests_while_the_broker_answers_no_heartbeat(
    line: EngineLine, kafka: EmbeddedKafka
) -> None:
    await line.create(line.topic, PARTITIONS)
    shares: list[float] = []
    await line.join(line.stage(), group={"session_timeout_s": SESSION_S}, on_share=shares.append)
    await until(lambda: shares and shares[-1] == 1.0)
    told = len(shares)

    await asyncio.sleep(2 * SESSION_S)
    while_answered = shares[told:]
    [broker] = kafka.pids
    os.kill(broker, signal.SIGSTOP)
    try:
        await until(lambda: shares[-1] == 0.0, within_s=2 * SESSION_S)
    finally:
        os.kill(broker, signal.SIGCONT)

    await until(lambda: shares[-1] == 1.0)
    assert while_answered == []


async def _outputs(line: EngineLine, count: int) -> bool:
    return len(await line.outputs()) >= count
