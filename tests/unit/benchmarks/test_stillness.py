"""Pauses of partitions are measured between their moves, the edges included."""

from benchmarks.scenarios.load import LONG, SHORT
from benchmarks.scenarios.scene import PARTITIONS
from benchmarks.scenarios.stillness import gaps_s, longest_s
from benchmarks.scenarios.watcher import Finish

BUSY = [
    Finish(SHORT, partition, "published", float(at)) for at in range(11) for partition in range(PARTITIONS)
]


def test_a_partition_that_goes_on_has_the_trickles_pauses_only() -> None:
    assert longest_s(gaps_s(BUSY, [], 0.0, 10.0)) == 1.0


def test_one_partition_that_stands_still_among_others_is_found() -> None:
    still = [finish for finish in BUSY if finish.partition != 3 or not 2 < finish.at_s < 8]

    assert longest_s(gaps_s(still, [], 0.0, 10.0)) == 6.0


def test_a_partition_that_never_goes_on_again_is_found() -> None:
    still = [finish for finish in BUSY if finish.partition != 3 or finish.at_s < 4]

    assert longest_s(gaps_s(still, [], 0.0, 10.0)) == 7.0


def test_the_ends_of_long_calls_do_not_count() -> None:
    late = [Finish(LONG, 3, "published", 5.0)]
    still = [finish for finish in BUSY if finish.partition != 3]

    assert longest_s(gaps_s([*still, *late], [], 0.0, 10.0)) == 10.0


def test_the_start_of_a_call_is_a_move() -> None:
    still = [finish for finish in BUSY if finish.partition != 3]

    assert longest_s(gaps_s(still, [(3, 4.0)], 0.0, 10.0)) == 6.0
