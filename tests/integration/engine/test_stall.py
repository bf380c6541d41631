"""A consumer that should move and does not, on real Kafka: seen, healed once, ended."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from fixtures.broker import until
from fixtures.engine import EngineLine
from processors.gates import Gates
from schemas.base import Stage
from streams.engine.consumer import StageConsumer
from streams.engine.records import InRecord
from streams.stall_guard import StallGuard
from streams.why import StageWatch

pytestmark = pytest.mark.integration
LIMIT_S = 2.0
LOOK_S = 0.1


async def guard(member: StageConsumer, stalls: list[bool]) -> None:
    watch, guard = StageWatch(Stage.GENERATE, Gates()), StallGuard(Stage.GENERATE, member, LIMIT_S)
    while not member.crashed:
        state = member.state()
        why = watch.look(state, await member.ends(), datetime.now(UTC))
        stalls.append(await guard.watch(state, why))
        await asyncio.sleep(LOOK_S)


def hangs(times: int) -> Callable[[InRecord], Awaitable[None]]:
    left = [times]

    async def behaviour(_: InRecord) -> None:
        left[0] -= 1
        if left[0] >= 0:
            await asyncio.Event().wait()

    return behaviour


@pytest.fixture
async def topic(line: EngineLine) -> str:
    await line.create(line.topic)
    return line.topic


async def test_a_call_that_hangs_once_is_healed_by_joining_anew(line: EngineLine, topic: str) -> None:
    member = await line.join(line.stage(behaviour=hangs(1)), drain_s_max=0.2)
    stalls: list[bool] = []
    guarding = asyncio.create_task(guard(member, stalls))

    await line.submit([b"1"])

    await until(lambda: line.has_finished(0, 1))
    await until(lambda: stalls[-1] is False)
    guarding.cancel()
    assert True in stalls
    assert (await line.outputs(), member.crashed) == (["a:1"], False)


async def test_a_call_that_hangs_again_ends_the_worker(line: EngineLine, topic: str) -> None:
    stage = line.stage(behaviour=hangs(9))
    member = await line.join(stage, drain_s_max=0.2)
    guarding = asyncio.create_task(guard(member, []))

    await line.submit([b"1"])

    await until(lambda: member.crashed)
    guarding.cancel()
    assert (len(stage.calls), await line.outputs(), await line.committed()) == (2, [], {})


async def test_polls_that_do_not_return_end_the_worker_even_without_work(
    line: EngineLine, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await line.join(line.stage(), drain_s_max=0.2)
    guarding = asyncio.create_task(guard(member, []))
    await until(lambda: member.health().joined)

    async def never(_wait_s: float, _most: int) -> list[InRecord]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(member._member, "poll", never)

    await until(lambda: member.crashed)
    guarding.cancel()


async def test_an_idle_consumer_is_left_alone(line: EngineLine, topic: str) -> None:
    member = await line.join(line.stage())
    stalls: list[bool] = []
    guarding = asyncio.create_task(guard(member, stalls))

    await asyncio.sleep(2 * LIMIT_S)
    guarding.cancel()

    assert set(stalls) == {False}
