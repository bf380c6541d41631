"""Exact progress on a real broker: nothing is lost, nothing that is finished is done again."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from fakes.deaf_producer import DeafProducer
from fixtures.broker import until
from fixtures.engine import EngineLine, close_line, open_line
from streams.embedded.kafka import EmbeddedKafka
from streams.engine.records import InRecord

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[2]


@contextmanager
def a_member_process(line: EngineLine) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "fakes.engine_member", line.brokers, line.topic, line.out, line.group]
    path = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    process = subprocess.Popen(command, env=dict(os.environ) | {"PYTHONPATH": path})  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_after_a_kill_only_the_unfinished_head_is_done_again(line: EngineLine) -> None:
    await line.create(line.topic)
    await line.submit([b"slow-0", *(f"fast-{number}".encode() for number in range(1, 500))])
    with a_member_process(line):
        await until(lambda: _all_but_the_head(line, 500))
    successor = line.stage("successor")

    await line.join(successor)

    await until(lambda: line.has_finished(0, 500))
    outputs = await line.outputs()
    assert successor.calls == [(0, 0)]
    assert sorted(text.partition(":")[2] for text in outputs) == sorted(
        ["slow-0", *(f"fast-{number}" for number in range(1, 500))]
    )


async def _all_but_the_head(line: EngineLine, count: int) -> bool:
    offset, above = (await line.committed()).get(0, (0, frozenset()))
    return offset == 0 and above == frozenset(range(1, count))


async def test_while_results_cannot_be_sent_no_more_calls_begin_than_are_allowed_twice(
    line: EngineLine,
) -> None:
    await line.create(line.topic)
    await line.submit([f"{number}".encode() for number in range(50)])
    stage = line.stage()
    member = await line.join(stage, producer=DeafProducer(), in_flight_max=5)

    await until(lambda: member.health().waiting.get("turn") == 50 - len(stage.calls))

    assert 5 <= len(stage.calls) <= 10
    assert member.health().waiting["send"] == len(stage.calls)


async def test_a_commit_never_passes_an_unfinished_record(line: EngineLine) -> None:
    chance = random.Random(7)

    async def take_a_while(_: InRecord) -> None:
        await asyncio.sleep(chance.choice((0.0, 0.01, 0.05, 0.8)))

    await line.create(line.topic, 2)
    for partition in range(2):
        await line.submit([b"v"] * 1500, partition=partition)
    stage = line.stage("a", take_a_while)
    await line.join(stage, in_flight_max=200, commit_interval_s=0.05)

    samples, early = 0, set()
    while not (await line.has_finished(0, 1500) and await line.has_finished(1, 1500)):
        early |= await line.finished() - stage.ended
        samples += 1

    assert samples > 20
    assert early == set()
    assert len(await line.outputs()) == len(stage.calls) == 3000


async def test_no_more_is_worked_on_at_once_than_allowed(line: EngineLine) -> None:
    async def take_a_while(_: InRecord) -> None:
        await asyncio.sleep(0.02)

    await line.create(line.topic)
    await line.submit([b"v"] * 300)
    stage = line.stage("a", take_a_while)

    await line.join(stage, in_flight_max=20)

    await until(lambda: line.has_finished(0, 300))
    assert stage.at_once_max == 20


async def test_held_bytes_are_bounded_up_to_one_polls_worth(line: EngineLine) -> None:
    released = asyncio.Event()

    async def wait(_: InRecord) -> None:
        await released.wait()

    await line.create(line.topic)
    await line.submit([bytes(10_000)] * 1000)
    stage = line.stage("a", wait)
    member = await line.join(stage, in_flight_max=1000, lane_bytes_max=100_000)
    await until(lambda: len(stage.now) >= 10)
    await asyncio.sleep(1.0)
    held = len(stage.now)

    released.set()

    await until(lambda: line.has_finished(0, 1000))
    assert held * 10_000 <= 100_000 + 1_048_576  # a fetch holds at most 1 MiB of a partition
    assert member.health().finished == 1000


async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    async def take_a_while(_: InRecord) -> None:
        await asyncio.sleep(0.3)

    async with EmbeddedKafka(tmp_path) as kafka:
        line = await open_line(kafka.bootstrap_servers)
        await line.create(line.topic, 2)
        for partition in range(2):
            await line.submit([f"{partition}-{n}".encode() for n in range(500)], partition=partition)
        stage = line.stage("a", take_a_while)
        member = await line.join(stage, in_flight_max=50)
        await until(lambda: len(stage.ended) > 100)

        await kafka.kill(0)
        ended_at_kill = len(stage.ended)
        await asyncio.sleep(2.0)
        await kafka.restart(0)

        await until(lambda: _both_finished(line, 500), within_s=90)
        values = {text.partition(":")[2] for text in await line.outputs()}
        await close_line(line)
    assert ended_at_kill < 1000
    assert values == {f"{partition}-{n}" for partition in range(2) for n in range(500)}
    assert member.health().commit_error is None


async def _both_finished(line: EngineLine, count: int) -> bool:
    return await line.has_finished(0, count) and await line.has_finished(1, count)


@pytest.mark.parametrize("seen_gone", [True, False])
async def test_a_topic_that_is_made_anew_is_read_from_its_beginning(
    line: EngineLine, *, seen_gone: bool
) -> None:
    await line.create(line.topic)
    await line.submit([b"old"] * 50)
    stage = line.stage()
    member = await line.join(stage)
    await until(lambda: line.has_finished(0, 50))

    await line.admin.delete_topics([line.topic])
    await until(lambda: line.is_gone(line.topic))
    if seen_gone:
        await until(lambda: member.health().assigned == 0)
    await line.create(line.topic)
    await line.submit([f"new {number}".encode() for number in range(30)])

    await until(lambda: sum("new" in text for text in stage.done) == 30)
    await line.submit([f"more {number}".encode() for number in range(30)])
    await until(lambda: sum("more" in text for text in stage.done) == 30)
    assert len(stage.done) == 110
    await until(lambda: member.health().in_flight == 0)


async def test_a_client_that_goes_back_to_the_beginning_begins_a_new_window(line: EngineLine) -> None:
    await line.create(line.topic)
    await line.submit([b"v"] * 20)
    stage = line.stage()
    member = await line.join(stage)
    await until(lambda: line.has_finished(0, 20))

    # What the client does by itself when its position is beyond the end of a log that was made anew.
    member._member._consumer.seek(TopicPartition(line.topic, 0), 0)

    await until(lambda: len(stage.done) == 40)
    await until(lambda: member.health().in_flight == 0)
    assert stage.calls[20:] == [(0, offset) for offset in range(20)]


async def test_a_log_that_was_cut_below_the_window_is_read_on_from_where_it_begins(line: EngineLine) -> None:
    await line.create(line.topic)
    await line.submit([b"old"] * 20)
    first = await line.join(line.stage(), in_flight_max=1)
    await until(lambda: line.has_finished(0, 5))
    await first.stop()
    await line.submit([f"new {number}".encode() for number in range(10)])
    await line.admin.delete_records({TopicPartition(line.topic, 0): RecordsToDelete(before_offset=22)})

    stage = line.stage()
    await line.join(stage)

    await until(lambda: line.has_finished(0, 30))
    assert [offset for _, offset in stage.calls] == list(range(22, 30))
