"""Partitions are spread evenly in every topic, and few of them change hands."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.assignor import LaneAssignor, balance

MEMBERS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.lists(st.integers(0, 20), max_size=20),
    min_size=1,
    max_size=8,
)


@dataclass
class FakeCluster:
    counts: dict[str, int]

    def partitions_for_topic(self, topic: str) -> frozenset[int] | None:
        return frozenset(range(self.counts[topic])) if topic in self.counts else None


def assigned(counts: dict[str, int], assignors: dict[str, LaneAssignor]) -> dict[str, set[tuple[str, int]]]:
    members = {name: assignor.metadata({"bulk", "live"}) for name, assignor in assignors.items()}
    made = LaneAssignor().assign(FakeCluster(counts), members)
    for name, assignor in assignors.items():
        assignor.on_assignment(made[name])
    return {name: {tuple(p) for p in assignment.partitions()} for name, assignment in made.items()}


@given(st.integers(0, 20), MEMBERS)
def test_every_number_has_one_owner_and_counts_differ_by_one_at_most(
    count: int, held: dict[str, list[int]]
) -> None:
    shares = balance(range(count), held)

    assert sorted(number for share in shares.values() for number in share) == list(range(count))
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1


@given(st.integers(1, 20), st.integers(1, 6))
def test_a_balanced_group_stays_as_it_is(count: int, members: int) -> None:
    shares = balance(range(count), {f"m{n}": () for n in range(members)})

    assert balance(range(count), shares) == shares


@given(st.integers(1, 20), st.integers(1, 6))
def test_a_new_member_takes_only_its_share(count: int, members: int) -> None:
    before = balance(range(count), {f"m{n}": () for n in range(members)})

    after = balance(range(count), {**before, "a-new": ()})

    for member, share in before.items():
        assert set(after[member]) <= set(share)


def test_each_member_has_the_same_part_of_every_lane() -> None:
    assignors = {name: LaneAssignor() for name in "abc"}

    shares = assigned({"bulk": 8, "live": 8}, assignors)

    for share in shares.values():
        lanes = [{number for topic, number in share if topic == lane} for lane in ("bulk", "live")]
        assert lanes[0] == lanes[1]
        assert len(lanes[0]) in (2, 3)


def test_two_groups_in_one_process_do_not_mix_what_their_members_hold() -> None:
    one, other = LaneAssignor(), LaneAssignor()
    first = assigned({"bulk": 4, "live": 4}, {"a": one, "b": other})

    again = assigned({"bulk": 4, "live": 4}, {"c": one, "d": other})

    assert (again["c"], again["d"]) == (first["a"], first["b"])


def test_topics_that_are_not_there_or_of_other_sizes_are_no_burden() -> None:
    shares = assigned({"bulk": 3}, {"a": LaneAssignor(), "b": LaneAssignor()})

    assert sorted(len(share) for share in shares.values()) == [1, 2]
