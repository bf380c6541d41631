"""Seeded chance: the same key gives the same draws, on every machine and in every run."""

import hashlib
import math
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

KEY_BYTES = 16


class Chance:
    """A stream of draws that depends on its key alone.

    Args:
        parts: What the draws shall depend on, for example a seed and a fingerprint of a request.
    """

    __slots__ = ("_random",)

    def __init__(self, *parts: bytes) -> None:
        key = hashlib.blake2b(digest_size=KEY_BYTES)
        for part in parts:
            # The length keeps (b"ab", b"c") apart from (b"a", b"bc").
            key.update(len(part).to_bytes(8, "big"))
            key.update(part)
        self._random = random.Random(int.from_bytes(key.digest(), "big"))  # noqa: S311 - must repeat

    def uniform(self) -> float:
        """Draw from [0, 1)."""
        return self._random.random()

    def below(self, count: int) -> int:
        """Draw a whole number from 0 to `count` - 1; `count` is at least 1."""
        return int(self._random.random() * count)

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one of `items`, which must not be empty."""
        return items[int(self._random.random() * len(items))]

    def between(self, low: float, high: float) -> float:
        """Draw from [low, high)."""
        return low + (high - low) * self._random.random()

    def log_normal(self, median: float, sigma: float) -> float:
        """Draw from a log-normal distribution, given its median and the deviation of its logarithm."""
        return median * math.exp(sigma * self._random.gauss(0.0, 1.0))
