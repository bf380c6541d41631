"""How long partitions stand still.

While a trickle submits a short task on each partition every TRICKLE_S, each partition always has a record
whose call could begin or end, and slots are free. A partition stands still while none of its calls starts, by
the provider's own log, and none of its short tasks ends, in the finished topic. Ends of long calls do not
count: one that began before a rebalance ends even if nobody takes new records.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise

from .load import SHORT
from .scene import PARTITIONS
from .watcher import Finish

TRICKLE_S = 0.5


def gaps_s(
    finishes: Iterable[Finish], starts: Iterable[tuple[int, float]], since_s: float, until_s: float
) -> Mapping[int, Sequence[float]]:
    """Return for each partition the pauses between its moves, in seconds.

    Args:
        finishes: of tasks, in any order.
        starts: of calls: partition and monotonic time.
        since_s: from when on, in monotonic seconds; the trickle had begun to come out by then.
        until_s: up to when; the trickle went in until then.
    """
    moves: dict[int, list[float]] = {partition: [since_s, until_s] for partition in range(PARTITIONS)}
    ends = ((each.partition, each.at_s) for each in finishes if each.task_id.startswith(SHORT))
    for partition, at_s in chain(ends, starts):
        if since_s <= at_s <= until_s:
            moves[partition].append(at_s)
    return {
        partition: [later - earlier for earlier, later in pairwise(sorted(times))]
        for partition, times in moves.items()
    }


def longest_s(gaps: Mapping[int, Sequence[float]]) -> float:
    """Return the longest of all pauses."""
    return max(max(each) for each in gaps.values())


def facts(gaps: Mapping[int, Sequence[float]]) -> dict[str, float]:
    """Return what is worth telling beside the longest."""
    return {
        "median pause_s": statistics.median(gap for each in gaps.values() for gap in each),
        "longest pause_s, median of partitions": statistics.median(max(each) for each in gaps.values()),
    }
