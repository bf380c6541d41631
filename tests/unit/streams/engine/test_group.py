"""A member of a group: when it commits, and what it takes after a rebalance."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.engine.group import GroupMember, GroupSettings
from streams.engine.partitions import Committed
from streams.engine.records import Partition
from streams.engine.window import WINDOW_OFFSETS_MAX

SETTINGS = GroupSettings(brokers="nowhere:9092", group="g", client_id="c", topics=("t",))


@dataclass
class FakeConsumer:
    """aiokafka's consumer and coordinator, of a member of that generation."""

    generation: int
    commits: list[Mapping[Any, Any]] = field(default_factory=list)
    position: dict[TopicPartition, int] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)
    stopped: bool = False

    @property
    def _coordinator(self) -> "FakeConsumer":
        return self

    async def commit(self, offsets: Mapping[Any, Any]) -> None:
        self.commits.append(offsets)

    async def fetch_committed_offsets(self, _: Iterable[TopicPartition]) -> Mapping[TopicPartition, Any]:
        return {}

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 2 * WINDOW_OFFSETS_MAX)

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0}

    async def stop(self) -> None:
        self.stopped = True

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.position[tp] = offset

    def pause(self, tp: TopicPartition) -> None:
        self.paused.add(tp)


@dataclass(kw_only=True)
class AssignedAtTheStop(FakeConsumer):
    """It ends the rebalance that it is in before it leaves, as aiokafka does."""

    member: GroupMember

    async def stop(self) -> None:
        await self.member.on_partitions_assigned([TopicPartition("t", 0)])
        await super().stop()


@pytest.mark.parametrize(("generation", "commits"), [(3, 1), (-1, 0), (4, 0)])
async def test_only_a_member_of_the_generation_of_its_assignment_commits(
    generation: int, commits: int
) -> None:
    member = GroupMember(SETTINGS, on_share=lambda _: None, on_broken=lambda _: None)
    member._consumer = FakeConsumer(generation)
    state = Committed(offset=None, metadata="", beginning=0, end=9)
    member.partitions.assign({Partition("t", 0): state}, generation=3)
    held = member.partitions.get(Partition("t", 0))
    assert held is not None
    held.dirty = True

    await member.commit()

    assert len(member._consumer.commits) == commits


async def test_a_member_that_is_told_to_leave_before_it_joined_has_nothing_to_leave() -> None:
    member = GroupMember(SETTINGS, on_share=lambda _: None, on_broken=lambda _: None)

    await member.leave()

    assert not member.joined


async def test_a_full_window_that_comes_straight_back_takes_nothing_more() -> None:
    tp = TopicPartition("t", 0)
    member = GroupMember(SETTINGS, on_share=lambda _: None, on_broken=lambda _: None)
    member._consumer = FakeConsumer(generation=1)
    await member.on_partitions_assigned([tp])
    held = member.partitions.get(Partition("t", 0))
    assert held is not None
    for offset in range(WINDOW_OFFSETS_MAX):
        held.window.take(offset)
    member._consumer = FakeConsumer(generation=2)  # its partitions are new, so none is paused

    await member.on_partitions_revoked([tp])
    await member.on_partitions_assigned([tp])

    assert member.partitions.get(Partition("t", 0)) is held
    assert member._consumer.position == {tp: WINDOW_OFFSETS_MAX}
    assert member._consumer.paused == {tp}


async def test_a_member_that_joins_anew_takes_and_commits_nothing_until_its_client_has_started() -> None:
    class SlowToStart(GroupMember):
        async def start(self) -> None:
            self._consumer = None  # as an unstarted client, it can do nothing yet
            await started.wait()

    started = asyncio.Event()
    member = SlowToStart(SETTINGS, lambda _: None, lambda _: None)
    member._consumer = FakeConsumer(3)
    rejoining = asyncio.create_task(member.rejoin())
    while member._consumer is not None:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0)

    taken = await member.poll(0.0, SETTINGS.topics)
    await member.commit()
    started.set()
    await rejoining

    assert taken == []


async def test_who_leaves_the_group_has_no_share_any_more() -> None:
    shares: list[float] = []
    member = GroupMember(SETTINGS, on_share=shares.append, on_broken=lambda _: None)
    member._consumer = FakeConsumer(generation=1)
    await member.on_partitions_revoked([])
    await member.on_partitions_assigned([TopicPartition("t", 0)])

    await member.stop()

    assert member._consumer.stopped
    assert shares == [0.0, 1.0, 0.0]


async def test_an_assignment_that_comes_while_it_leaves_gives_no_share() -> None:
    shares: list[float] = []
    member = GroupMember(SETTINGS, on_share=shares.append, on_broken=lambda _: None)
    member._consumer = AssignedAtTheStop(generation=1, member=member)

    await member.stop()

    assert set(shares) == {0.0}
