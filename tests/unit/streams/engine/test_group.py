"""A member of a group: when it commits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from streams.engine.group import GroupMember, GroupSettings
from streams.engine.partitions import Committed
from streams.engine.records import Partition

SETTINGS = GroupSettings(brokers="nowhere:9092", group="g", client_id="c", topics=("t",))


@dataclass
class FakeConsumer:
    """aiokafka's consumer and coordinator, of a member of that generation."""

    generation: int
    commits: list[Mapping[Any, Any]] = field(default_factory=list)

    @property
    def _coordinator(self) -> "FakeConsumer":
        return self

    async def commit(self, offsets: Mapping[Any, Any]) -> None:
        self.commits.append(offsets)


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
