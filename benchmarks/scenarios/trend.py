"""Whether a noisy series grows: Theil and Sen's slope with Sen's confidence interval, on block medians."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

BLOCKS = 24
"""Samples a few seconds apart are alike and would feign certainty: the medians of so many blocks count."""
NORMAL_975 = 1.96
S_PER_H = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Growth in units an hour.

    Attributes:
        per_h: the median of the slopes between all pairs of blocks.
        low_per_h: lower end of its 95 % confidence interval; above 0, the growth is significant.
        high_per_h: upper end.
    """

    per_h: float
    low_per_h: float
    high_per_h: float


def trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """Return the trend of (seconds, value), in time's order, at least BLOCKS of them.

    Source: P. K. Sen, 1968, https://doi.org/10.1080/01621459.1968.10480934
    """
    blocks = _blocks(samples)
    slopes = sorted(
        (later - earlier) / (later_s - earlier_s) * S_PER_H
        for (earlier_s, earlier), (later_s, later) in combinations(blocks, 2)
    )
    count = len(blocks)
    # The spread of Kendall's statistic under no trend says which of the ordered slopes bound the interval.
    spread = NORMAL_975 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, round((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, round((len(slopes) + spread) / 2))
    return Trend(per_h=statistics.median(slopes), low_per_h=slopes[low], high_per_h=slopes[high])


def _blocks(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(samples) < BLOCKS:
        raise ValueError(f"{len(samples)} samples, expected at least {BLOCKS}: measure for longer")
    edges = [len(samples) * number // BLOCKS for number in range(BLOCKS + 1)]
    parts = [samples[start:end] for start, end in pairwise(edges)]
    return [
        (statistics.median(at_s for at_s, _ in part), statistics.median(value for _, value in part))
        for part in parts
    ]
