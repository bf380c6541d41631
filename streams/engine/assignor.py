"""Which member of a group gets which partitions: the same numbers of every topic, with few moves.

Why not aiokafka's sticky assignor: it keeps what a member held in its class, so that the stages of one worker
overwrite each other's; and it balances over all topics together, so that one member may hold an idle lane
alone and, with it, a share of the provider's limit that nobody else can use.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

VERSION = 0
"""Of Kafka's consumer protocol, whose metadata and assignment these are."""


class LaneAssignor(AbstractPartitionAssignor):  # type: ignore[misc] # aiokafka ships no types for it
    """The assignor of one member; each member needs its own."""

    name = "pressline-lanes"

    def __init__(self) -> None:
        self._held: tuple[int, ...] = ()

    def metadata(self, topics: Iterable[str]) -> Any:
        """Return what the member tells the group's leader: its topics, and the numbers that it holds."""
        held = ",".join(map(str, self._held)).encode()
        return ConsumerProtocolMemberMetadata(VERSION, sorted(topics), held)

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return each member's assignment; called at the group's leader only."""
        topics = sorted({topic for metadata in members.values() for topic in metadata.subscription})
        numbers = {topic: cluster.partitions_for_topic(topic) or frozenset() for topic in topics}
        everything = sorted(frozenset().union(*numbers.values()))
        shares = balance(everything, {member: _numbers(data.user_data) for member, data in members.items()})
        return {
            member: ConsumerProtocolMemberAssignment(
                VERSION, [(topic, [n for n in share if n in numbers[topic]]) for topic in topics], b""
            )
            for member, share in shares.items()
        }

    def on_assignment(self, assignment: Any) -> None:
        """Remember what the member holds from now on."""
        self._held = tuple(sorted({partition.partition for partition in assignment.partitions()}))


def balance(numbers: Sequence[int], held: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return which member gets which numbers: counts differ by one at most, and few change hands.

    Args:
        numbers: partition numbers, each once.
        held: what each member says that it held; two may say the same after one was silent for long.
    """
    least, more = divmod(len(numbers), len(held))
    order = sorted(held, key=lambda member: (-len(held[member]), member))
    room = {member: least + (place < more) for place, member in enumerate(order)}
    free, shares = set(numbers), {}
    for member in order:
        kept = [number for number in dict.fromkeys(held[member]) if number in free][: room[member]]
        free -= set(kept)
        shares[member] = kept
    rest = iter(sorted(free))
    for member in order:
        missing = room[member] - len(shares[member])
        shares[member] += [next(rest) for _ in range(missing)]
    return shares


def _numbers(user_data: bytes | None) -> tuple[int, ...]:
    return tuple(int(text) for text in (user_data or b"").split(b",") if text.isdigit())
