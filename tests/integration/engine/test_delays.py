"""A long wait leaves the window for a tier, and comes back, whatever is killed or moved meanwhile."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError

from fakes.claim_store import FakeClaimStore
from fakes.engine_stage import ControlledStage
from fixtures.broker import until
from fixtures.engine import EngineLine
from processors.disposition import RetryPolicy
from processors.errors import EventTooLargeError, ProviderRateLimitedError, ProviderUnavailableError
from schemas import failures as names
from schemas.headers import text_headers
from streams.engine.intake import Ordering
from streams.engine.producer import RecordProducer
from streams.engine.records import InRecord, OutRecord
from streams.engine.tiers import Tier
from streams.redelivery import Redelivery
from streams.redelivery_routes import Routes

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[2]
POLICY = RetryPolicy(attempts_max=3, backoff_s=0.01, backoff_s_max=0.01, window_s_max=0.3)
"""As in production, with a hundredth of its times."""
SESSION_S = 3.0
UNTOUCHED = b'\xff\x00 {"a":  1}\r\n'


@dataclass
class TieredLine:
    """A line with two tiers and the members that empty them."""

    line: EngineLine
    lengths_s: tuple[float, float] = (0.6, 2.0)
    members: list[Redelivery] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    @property
    def routes(self) -> Routes:
        name = self.line.group
        return Routes(
            tiers=(
                Tier(topic=f"{name}.retry.short", length_s=self.lengths_s[0]),
                Tier(topic=f"{name}.retry.long", length_s=self.lengths_s[1]),
            ),
            origins=frozenset({self.line.topic}),
            dead_topic=f"{name}.redelivery.dead",
            group=f"{name}.redelivery",
        )

    async def create(self, partitions: int = 1) -> None:
        names = (tier.topic for tier in self.routes.tiers)
        for name in (self.line.topic, *names, self.routes.dead_topic):
            await self.line.create(name, partitions)

    def stage(self) -> ControlledStage:
        return ControlledStage("a", self.line.out, self.line.dead, tiers=self.routes.tiers)

    async def join(self, producer: RecordProducer | None = None) -> Redelivery:
        member = Redelivery(
            self.line.brokers,
            "redelivery",
            self.routes,
            producer or self.line.producer,
            FakeClaimStore(),
            session_timeout_s=SESSION_S,
            on_sent=self.sent.append,
        )
        self.members.append(member)
        await member.start()
        return member

    async def wait(self, value: bytes, due_s: float, *, partition: int = 0, tier: int = 0) -> None:
        """Put a record into a tier as a stage does, due after `due_s` seconds."""
        headers = (
            (names.RETRY_OF, f"{self.line.topic}/{partition}/0".encode()),
            (names.RETRY_NOT_BEFORE, str(int((time.time() + due_s) * 1000)).encode()),
        )
        await self.put(value, headers, partition=partition, tier=tier)

    async def put(
        self, value: bytes, headers: Iterable[tuple[str, bytes]], *, partition: int = 0, tier: int = 0
    ) -> None:
        topic = self.routes.tiers[tier].topic
        record = OutRecord(topic=topic, key=b"k", value=value, headers=tuple(headers), partition=partition)
        await self.line.producer.send([record])

    async def returned(self) -> list[ConsumerRecord]:
        return await self.line.read(self.line.topic)

    async def has_returned(self, count: int) -> bool:
        return len(await self.returned()) >= count

    async def is_empty(self) -> bool:
        """Whether the group has committed past the last record of every tier."""
        offsets = await self.line.admin.list_consumer_group_offsets(self.routes.group)
        for tier in self.routes.tiers:
            for record in await self.line.read(tier.topic):
                found = offsets.get(TopicPartition(record.topic, record.partition))
                if found is None or found.offset <= record.offset:
                    return False
        return True


@pytest.fixture
async def tiers(line: EngineLine) -> AsyncIterator[TieredLine]:
    opened = TieredLine(line)
    yield opened
    await asyncio.gather(*(member.stop() for member in opened.members))


async def test_a_long_retry_after_is_obeyed_while_the_window_goes_on(tiers: TieredLine) -> None:
    stage, called_s, line = tiers.stage(), list[float](), tiers.line

    async def behave(record: InRecord) -> None:
        if record.value == UNTOUCHED:
            called_s.append(time.time())
            if len(called_s) == 1:
                raise ProviderRateLimitedError("busy", retry_after_s=3.0)

    stage.behaviour = behave
    await tiers.create()
    await tiers.join()
    sent = OutRecord(topic=line.topic, key=b"k\xff", value=UNTOUCHED, headers=(("x", b"\xfe"), ("x", b"2")))
    await line.producer.send([sent])
    await line.submit([b"other"])

    await line.join(stage, policy=POLICY)

    await until(lambda: line.has_finished(0, 2))
    before = len(called_s)
    await until(lambda: line.has_finished(0, 3))
    first, _, second = await tiers.returned()
    assert (before, len(called_s)) == (1, 2)
    assert called_s[1] - called_s[0] >= 3.0
    assert (second.key, second.value) == (first.key, first.value)
    assert [h for h in second.headers if h[0] not in names.RETRY_HEADERS] == list(first.headers)
    assert text_headers(second.headers)[names.RETRY_REASON] == "provider_rate_limited"
    await until(tiers.is_empty)
    short, long = [await line.read(tier.topic) for tier in tiers.routes.tiers]
    assert (len(long), bool(short)) == (1, True)  # 2 s in the one, the rest in the other


async def test_attempts_are_bounded_over_deliveries_and_end_in_a_dead_letter(tiers: TieredLine) -> None:
    stage, line = tiers.stage(), tiers.line

    async def fail(_: InRecord) -> None:
        raise ProviderUnavailableError("busy", retry_after_s=0.4)

    stage.behaviour = fail
    await tiers.create()
    await line.create(line.dead)
    await tiers.join()
    await line.submit([b"v"], key=b"k")

    await line.join(stage, policy=POLICY)

    await until(lambda: line.has_finished(0, 3))
    [letter] = await line.read(line.dead)
    headers = text_headers(letter.headers)
    assert len(stage.calls) == 3
    assert (letter.value, headers["__dlq.errors.attempts"], headers["__dlq.errors.offset"]) == (
        b"v",
        "3",
        "2",
    )
    failed_ms = int(headers["__dlq.errors.timestamp"]) - int(headers["__dlq.errors.first.failure"])
    assert failed_ms >= 2 * 400


async def test_in_key_order_a_record_never_leaves_its_window(tiers: TieredLine) -> None:
    stage, failed, line = tiers.stage(), list[bytes](), tiers.line

    async def behave(record: InRecord) -> None:
        if record.value == b"a0" and not failed:
            failed.append(b"a0")
            raise ProviderUnavailableError("busy", retry_after_s=1.0)

    stage.behaviour = behave
    await tiers.create()
    await tiers.join()
    for value in (b"a0", b"a1", b"b0", b"b1"):
        await line.submit([value], key=value[:1])

    await line.join(stage, policy=POLICY, ordering=Ordering.KEY)

    await until(lambda: line.has_finished(0, 4))
    assert await line.outputs() == ["a:b0", "a:b1", "a:a0", "a:a1"]
    assert [await line.read(tier.topic) for tier in tiers.routes.tiers] == [[], []]


async def test_only_the_partition_of_a_waiting_head_is_held(tiers: TieredLine) -> None:
    tiers.lengths_s = (0.6, 60.0)
    await tiers.create(2)
    await tiers.wait(b"later", 60.0, partition=0, tier=1)
    await tiers.join()
    await until(lambda: _paused(tiers))

    for number in range(20):
        await tiers.wait(f"{number}".encode(), 0.0, partition=1, tier=1)

    await until(lambda: tiers.has_returned(20))
    assert {record.value for record in await tiers.returned()} == {f"{n}".encode() for n in range(20)}


async def test_a_head_that_is_due_late_holds_those_behind_it_for_the_tiers_length_at_most(
    tiers: TieredLine,
) -> None:
    await tiers.create()
    await tiers.wait(b"late", 4.0)
    await tiers.wait(b"early", 0.0)

    await tiers.join()

    await until(lambda: tiers.has_returned(2))
    early, late = await tiers.returned()
    [entered, *_] = await tiers.line.read(tiers.routes.tiers[0].topic)
    assert (early.value, late.value) == (b"early", b"late")
    assert late.timestamp - entered.timestamp >= 4000 - 1


async def test_pauses_do_not_survive_a_move_there_and_back(tiers: TieredLine) -> None:
    tiers.lengths_s = (20.0, 40.0)
    await tiers.create(2)
    first = await tiers.join()
    for partition in range(2):
        await tiers.wait(b"v%d" % partition, 8.0, partition=partition, tier=1)
    await until(lambda: _paused(tiers, 2))

    second = await tiers.join()
    await until(lambda: len(second._consumer.assignment()) == len(first._consumer.assignment()) == 2)
    await until(lambda: second._held.resume_s)
    await second.stop()

    await until(lambda: len(first._consumer.assignment()) == 4)
    await until(lambda: tiers.has_returned(2))
    records = await tiers.returned()
    assert sorted(record.value for record in records) == [b"v0", b"v1"]
    assert all(record.timestamp >= _not_before_ms(record) for record in records)


async def test_a_broken_record_is_dead_lettered_as_it_is_and_those_behind_it_go_on(tiers: TieredLine) -> None:
    await tiers.create()
    origin, now_ms = f"{tiers.line.topic}/0/0", int(time.time() * 1000)
    broken = [
        {},
        {names.RETRY_OF: origin},
        {names.RETRY_OF: origin, names.RETRY_NOT_BEFORE: "soon"},
        {names.RETRY_OF: origin, names.RETRY_NOT_BEFORE: str(now_ms + 30 * 86_400_000)},
        {names.RETRY_OF: "nowhere/0/0", names.RETRY_NOT_BEFORE: str(now_ms)},
        {names.RETRY_OF: tiers.line.topic, names.RETRY_NOT_BEFORE: str(now_ms)},
    ]
    for headers in broken:
        await tiers.put(UNTOUCHED, [(name, value.encode()) for name, value in headers.items()])
    await tiers.wait(b"good", 0.0)

    await tiers.join()

    await until(tiers.is_empty)
    letters = await tiers.line.read(tiers.routes.dead_topic)
    assert [record.value for record in await tiers.returned()] == [b"good"]
    assert [letter.value for letter in letters] == [UNTOUCHED] * len(broken)
    for letter, headers in zip(letters, broken, strict=True):
        kept = text_headers(letter.headers)
        assert kept.items() >= headers.items()
        assert (kept["__dlq.errors.stage"], kept["__dlq.errors.reason"]) == ("redelivery", "invalid_message")


@contextmanager
def a_member_process(tiers: TieredLine) -> Iterator["subprocess.Popen[bytes]"]:
    """A member that is stuck between the broker's acknowledgement and its commit."""
    routes = tiers.routes
    lengths = [f"{tier.topic}={tier.length_s}" for tier in routes.tiers]
    arguments = [tiers.line.brokers, routes.group, tiers.line.topic, routes.dead_topic, *lengths]
    path = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    process = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "fakes.redelivery_member", *arguments],
        env=dict(os.environ) | {"PYTHONPATH": path},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_after_a_kill_between_send_and_commit_a_record_returns_again_and_none_is_lost(
    tiers: TieredLine,
) -> None:
    await tiers.create()
    for value in (b"0", b"1", b"2"):
        await tiers.wait(value, 0.0)
    with a_member_process(tiers):
        await until(lambda: tiers.has_returned(3))

    await tiers.join()

    await until(tiers.is_empty)
    assert [record.value for record in await tiers.returned()] == [b"0", b"1", b"2"] * 2


async def test_a_stop_lets_what_is_sent_be_committed(tiers: TieredLine) -> None:
    class SlowProducer(RecordProducer):
        async def send(self, records: Sequence[OutRecord]) -> None:
            await tiers.line.producer.send(records)
            await asyncio.sleep(1.0)

    await tiers.create()
    member = await tiers.join(SlowProducer(tiers.line.brokers, "slow"))
    await tiers.wait(b"v", 0.0)
    await until(lambda: tiers.has_returned(1))

    await member.stop()

    assert await tiers.is_empty()


async def test_a_send_that_fails_is_tried_again_and_what_is_too_large_becomes_a_dead_letter(
    tiers: TieredLine,
) -> None:
    class FailingProducer(RecordProducer):
        failures = 2

        async def send(self, records: Sequence[OutRecord]) -> None:
            self.failures -= 1
            if self.failures >= 0:
                raise KafkaConnectionError("away")
            if records[0].topic == tiers.line.topic and records[0].value == b"large":
                raise EventTooLargeError("larger than the topic takes")
            await tiers.line.producer.send(records)

    await tiers.create()
    for value in (b"0", b"large", b"1"):
        await tiers.wait(value, 0.0)

    await tiers.join(FailingProducer(tiers.line.brokers, "failing"))

    await until(tiers.is_empty)
    [letter] = await tiers.line.read(tiers.routes.dead_topic)
    assert letter.value == b"large"
    assert {record.value for record in await tiers.returned()} == {b"0", b"1"}


def _paused(tiers: TieredLine, count: int = 1) -> bool:
    return sum(len(member._held.resume_s) for member in tiers.members) == count


def _not_before_ms(record: ConsumerRecord) -> int:
    return int(text_headers(record.headers)[names.RETRY_NOT_BEFORE])
