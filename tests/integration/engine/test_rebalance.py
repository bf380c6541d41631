"""A rebalance never waits for a call, and a call is nobody's twice."""

import asyncio
from collections import Counter

import pytest

from fakes.engine_stage import ControlledStage, Gate
from fixtures.broker import until
from fixtures.engine import EngineLine
from streams.engine.consumer import StageConsumer

pytestmark = pytest.mark.integration

PARTITIONS = 4
RECORDS = 10
REBALANCE_S_MAX = 10.0


async def calls_in_flight(line: EngineLine) -> tuple[StageConsumer, ControlledStage, Gate]:
    """A member named `old`, at work on every record; its calls end only when the gate opens."""
    await line.create(line.topic, PARTITIONS)
    for partition in range(PARTITIONS):
        await line.submit(
            [f"{partition}-{number}".encode() for number in range(RECORDS)], partition=partition
        )
    gate = Gate()
    stage = line.stage("old", gate)
    member = await line.join(stage)
    await until(lambda: len(stage.now) == PARTITIONS * RECORDS)
    return member, stage, gate


def held(member: StageConsumer) -> set[int]:
    return {partition.partition for partition, _ in member._member.partitions.items()}


async def all_finished(line: EngineLine) -> bool:
    return all([await line.has_finished(partition, RECORDS) for partition in range(PARTITIONS)])


async def test_a_rebalance_is_over_while_every_call_still_runs(line: EngineLine) -> None:
    old, old_stage, gate = await calls_in_flight(line)

    new = await line.join(line.stage("new", gate))

    await until(lambda: len(held(old)) == len(held(new)) == 2, within_s=REBALANCE_S_MAX)
    assert len(old_stage.now) == PARTITIONS * RECORDS
    gate.open()
    await until(lambda: all_finished(line))


async def test_a_partition_that_comes_straight_back_keeps_its_calls_and_a_lost_one_is_the_new_owners(
    line: EngineLine,
) -> None:
    old, old_stage, gate = await calls_in_flight(line)
    new_stage = line.stage("new", gate)
    new = await line.join(new_stage)
    await until(lambda: len(held(old)) == len(held(new)) == 2, within_s=REBALANCE_S_MAX)
    kept, lost = held(old), held(new)
    await until(lambda: len(new_stage.now) == 2 * RECORDS)

    gate.open()

    await until(lambda: all_finished(line))
    await asyncio.sleep(0.5)
    assert Counter(old_stage.calls).most_common(1)[0][1] == 1
    assert {partition for partition, _ in new_stage.calls} == lost
    assert sorted(await line.outputs()) == sorted(
        f"{'old' if partition in kept else 'new'}:{partition}-{number}"
        for partition in range(PARTITIONS)
        for number in range(RECORDS)
    )


async def test_what_a_leaving_member_did_not_finish_is_finished_by_the_one_that_stays(
    line: EngineLine,
) -> None:
    gate = Gate()
    old, old_stage, old_gate = await calls_in_flight(line)
    new_stage = line.stage("new", gate)
    new = await line.join(new_stage, drain_s_max=0.2)
    await until(lambda: len(new_stage.now) == 2 * RECORDS)
    lost = held(new)

    await new.stop()

    await until(lambda: len(held(old)) == PARTITIONS, within_s=REBALANCE_S_MAX)
    old_gate.open()
    await until(lambda: all_finished(line))
    calls = Counter(old_stage.calls)
    assert {count for (partition, _), count in calls.items() if partition not in lost} == {1}
    assert sorted(await line.outputs()) == sorted(
        f"old:{partition}-{number}" for partition in range(PARTITIONS) for number in range(RECORDS)
    )


async def test_a_member_that_stops_gives_its_partitions_away_while_its_calls_still_run(
    line: EngineLine,
) -> None:
    old, old_stage, old_gate = await calls_in_flight(line)
    gate = Gate()
    new = await line.join(line.stage("new", gate))
    await until(lambda: len(held(old)) == len(held(new)) == 2, within_s=REBALANCE_S_MAX)

    stopping = asyncio.create_task(old.stop())
    await until(lambda: len(held(new)) == PARTITIONS, within_s=REBALANCE_S_MAX)
    still_running = len(old_stage.now)
    old_gate.open()
    await stopping
    gate.open()

    await until(lambda: all_finished(line))
    assert still_running == PARTITIONS * RECORDS
    assert {output.partition(":")[0] for output in await line.outputs()} == {"new"}


async def test_calls_that_end_soon_after_a_stop_are_finished_by_the_member_that_stops(
    line: EngineLine,
) -> None:
    old, _, gate = await calls_in_flight(line)

    stopping = asyncio.create_task(old.stop())
    await asyncio.sleep(0)
    gate.open()
    await stopping

    assert await all_finished(line)
