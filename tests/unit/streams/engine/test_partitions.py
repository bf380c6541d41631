"""Through a rebalance: what comes straight back is kept, everything else is rebuilt."""

from streams.engine import commit_metadata
from streams.engine.partitions import Committed, HeldPartition, HeldPartitions
from streams.engine.records import Partition

P0, P1 = Partition("t", 0), Partition("t", 1)


def fresh(offset: int | None = None, metadata: str = "", beginning: int = 0, end: int = 1000) -> Committed:
    return Committed(offset=offset, metadata=metadata, beginning=beginning, end=end)


def held_of(partitions: HeldPartitions, partition: Partition) -> HeldPartition:
    held = partitions.get(partition)
    assert held is not None
    return held


def test_a_partition_that_comes_straight_back_keeps_its_window() -> None:
    partitions = HeldPartitions()
    partitions.assign({P0: fresh()}, generation=1)
    held = held_of(partitions, P0)
    held.window.take(0)

    partitions.revoke()
    partitions.assign({P0: fresh()}, generation=2)

    assert partitions.get(P0) is held
    assert not held.lost


def test_a_partition_that_was_away_for_a_generation_is_rebuilt() -> None:
    partitions = HeldPartitions()
    partitions.assign({P0: fresh()}, generation=1)
    held = held_of(partitions, P0)

    partitions.revoke()
    partitions.assign({P0: fresh()}, generation=3)

    assert partitions.get(P0) is not held
    assert held.lost
    assert held.closing.is_set()


def test_a_partition_whose_commit_is_not_ours_is_rebuilt() -> None:
    partitions = HeldPartitions()
    partitions.assign({P0: fresh(offset=5)}, generation=1)
    held = held_of(partitions, P0)

    partitions.revoke()
    partitions.assign({P0: fresh(offset=9)}, generation=2)

    assert held.lost
    assert held_of(partitions, P0).window.next_offset == 9


def test_a_partition_in_which_another_finished_records_is_rebuilt_though_the_offset_is_ours() -> None:
    partitions = HeldPartitions()
    partitions.assign({P0: fresh(offset=5)}, generation=1)
    held = held_of(partitions, P0)

    partitions.revoke()
    partitions.assign({P0: fresh(offset=5, metadata=commit_metadata.encode(5, [7]))}, generation=2)

    assert held.lost
    assert held_of(partitions, P0).window.finished_above == {7}


def test_a_partition_that_goes_elsewhere_is_lost() -> None:
    partitions = HeldPartitions()
    partitions.assign({P0: fresh(), P1: fresh()}, generation=1)
    gone = held_of(partitions, P1)

    partitions.revoke()
    partitions.assign({P0: fresh()}, generation=2)

    assert gone.lost
    assert partitions.get(P1) is None
    assert len(partitions) == 1


def test_nothing_is_taken_between_revoke_and_assignment() -> None:
    partitions = HeldPartitions()
    partitions.assign({P0: fresh()}, generation=1)

    suspended = partitions.revoke()

    assert partitions.get(P0) is None
    assert list(suspended) == [P0]


def test_a_rebuilt_window_skips_what_the_metadata_says_is_finished() -> None:
    partitions = HeldPartitions()
    metadata = commit_metadata.encode(10, {11, 13})

    partitions.assign({P0: fresh(offset=10, metadata=metadata)}, generation=1)

    window = held_of(partitions, P0).window
    assert [offset for offset in range(10, 15) if window.take(offset)] == [10, 12, 14]


def test_a_committed_offset_outside_of_the_log_starts_at_its_beginning() -> None:
    partitions = HeldPartitions()

    partitions.assign({P0: fresh(offset=500, end=20), P1: fresh(offset=3, beginning=7)}, generation=1)

    assert held_of(partitions, P0).window.next_offset == 0
    assert held_of(partitions, P1).window.next_offset == 7
