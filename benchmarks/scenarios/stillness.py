"""How long partitions stand still.

While a trickle submits a short task on each partition every TRICKLE_S, each partition always has a record
whose call could begin or end, and slots are free. A partition stands still from one end of such a task to
the next. Long calls do not count: one that began before a rebalance ends even if nobody takes new records.

Measured at the end of the pipeline, in the finished topic: whichever of the four stages stands still, shows.
So the figure is an upper bound: it has the trickle's own pause in it, and four groups' rebalances.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from .load import SHORT
from .scene import PARTITIONS
from .watcher import Finish

TRICKLE_S = 0.5


def gaps_s(finishes: Iterable[Finish], since_s: float, until_s: float) -> Mapping[int, Sequence[float]]:
    """Return for each partition the pauses between ends of short tasks, in seconds.

    Args:
        finishes: in order of time.
        since_s: from when on, in monotonic seconds; the trickle had begun to come out by then.
        until_s: up to when; the trickle went in until then.
    """
    ends: dict[int, list[float]] = {partition: [since_s] for partition in range(PARTITIONS)}
    for finish in finishes:
        if since_s <= finish.at_s <= until_s and finish.task_id.startswith(SHORT):
            ends[finish.partition].append(finish.at_s)
    return {
        partition: [later - earlier for earlier, later in pairwise([*times, until_s])]
        for partition, times in ends.items()
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
