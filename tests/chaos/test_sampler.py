"""The sampler follows a group to its next coordinator."""

import time

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from chaos.artefacts import Commit, GroupPartition
from chaos.sampler import SETTLE_S, OffsetSampler

GROUP = "pressline-publish"
PLACE = TopicPartition("pressline.task.validated.live.v1", 0)


class MovingAdmin:
    """A group whose coordinator changes; as aiokafka's client it tells of no commits in place of an error."""

    def __init__(self) -> None:
        self.coordinator, self.offset = 0, 7

    async def find_coordinator(self, group: str) -> int:
        assert group == GROUP
        return self.coordinator

    async def list_consumer_group_offsets(
        self, _group: str, *, group_coordinator_id: int
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        return {PLACE: OffsetAndMetadata(self.offset, "")} if group_coordinator_id == self.coordinator else {}


async def test_a_group_whose_coordinator_was_lost_is_asked_about_at_the_next_one() -> None:
    sampler, admin = OffsetSampler("nowhere:9092", 1), MovingAdmin()
    await sampler._consumer.stop()
    await sampler._admin.close()
    sampler._admin = admin
    at = GroupPartition(GROUP, PLACE.topic, PLACE.partition)
    before = await sampler._committed(GROUP)

    admin.coordinator, admin.offset = 2, 9
    await sampler._committed(GROUP)
    after = await sampler._committed(GROUP)

    assert (before, after) == ({at: Commit(7, "")}, {at: Commit(9, "")})


async def test_who_coordinates_since_a_moment_is_not_believed_that_commits_went_back() -> None:
    sampler, at = OffsetSampler("nowhere:9092", 1), GroupPartition(GROUP, PLACE.topic, PLACE.partition)
    await sampler._consumer.stop()
    await sampler._admin.close()
    sampler.commits[at] = Commit(9, "")

    sampler._found_s[GROUP] = time.monotonic()
    at_once = [sampler._is_news(at, Commit(offset, "")) for offset in (7, 9, 10)]
    sampler._found_s[GROUP] -= SETTLE_S
    later = [sampler._is_news(at, Commit(offset, "")) for offset in (7, 9, 10)]

    assert (at_once, later) == ([False, False, True], [True, False, True])
