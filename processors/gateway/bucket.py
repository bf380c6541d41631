"""A leaky bucket that keeps a strict sliding window, also while its share of the limit changes.

A plain bucket of 600 a minute lets 600 through at once and 600 more within the next minute: a window of 60
seconds can see 1,200. This bucket is shallow (one unit, and BURST_S worth, so that a taker who wakes up late
loses nothing) and leaks a little slower than the limit, so that

    rate * 60 s + depth + largest amount taken at once <= limit.

The largest amount is in the sum because it was saved up before the window in which it counts. Whole units may
come to less than one above the limit in that sum: there is no part of a unit to take. A share that
changes starts with a full bucket on top of what has not leaked yet: in a window with a change in it, what
was admitted is at most what leaked.
"""

import asyncio
import contextlib
import math

WINDOW_S = 60.0
HEADROOM = 0.98
"""Part of the limit that is used; the rest takes up the burst and the way to the provider."""

BURST_S = 0.1
RATE_SHARE_MIN = 0.5
"""However large a single amount is, half the limit stays in use: then that one amount may overshoot."""

WAIT_S_MIN = 1e-6
"""What is due sooner is due now: the clock shows no less."""


class Bucket:
    """Units per minute. One taker at a time: callers queue before it.

    Args:
        limit_per_minute: over all workers, or None for no limit.
        whole: True when units are taken one by one (requests), False for amounts (tokens).
    """

    def __init__(self, limit_per_minute: int | None, *, whole: bool) -> None:
        self.limit = limit_per_minute
        self._whole = whole
        self._share = 1.0
        self._largest = 0
        self._owed = 0.0
        self._level = 0.0
        self._leaked_at_s = 0.0
        self._changed = asyncio.Event()

    def set_share(self, share: float) -> None:
        """Start anew, full, on that share (more than 0, at most 1) of the limit."""
        before = self._depth()
        self._leak()
        self._share = share
        self._restart(before)

    def lower(self, limit_per_minute: int) -> None:
        """Start anew, full, on that lower limit."""
        before = self._depth()
        self._leak()
        self.limit = limit_per_minute
        self._restart(before)

    def adjust(self, units: float) -> None:
        """Charge (or, when negative, credit) units to whoever takes next.

        No more credit is kept than one burst: credit saved up in quiet times would let a whole burst through
        later. What is beyond that is not refunded.
        """
        if self.limit is not None:
            self._owed = max(self._owed + units, -self._depth())

    async def take(self, units: int) -> None:
        """Wait until `units` more fit, then take them, in parts of a depth."""
        if self.limit is None:
            return
        self._fit(units)
        due = units + self._owed
        self._owed = min(due, 0.0)
        try:
            while due > 0:  # bounded by the caller's deadline; each round takes a part or waits for its room
                part = min(due, self._depth())
                self._leak()
                wait_s = (self._level + part - self._depth()) / self._rate_per_s()
                if wait_s > WAIT_S_MIN:
                    await self._pause(wait_s)
                    continue
                self._level += part
                due -= part
        finally:  # who gives up leaves to the next what others had used; what it took itself went there first
            self._owed += max(due - units, 0.0)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but wake up when there is another share to reckon with."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _leak(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._level = max(0.0, self._level - (now_s - self._leaked_at_s) * self._rate_per_s())
        self._leaked_at_s = now_s

    def _restart(self, depth_before: float) -> None:
        # More than a depth is left of an earlier start only, during which nothing was admitted.
        self._level = min(self._level, depth_before) + self._depth()
        self._changed.set()

    def _fit(self, units: int) -> None:
        # Rounded up to a power of two, so that slowly growing amounts seldom start the bucket anew.
        if not self._whole and units > self._largest:
            before = self._depth()
            self._leak()
            self._largest = 1 << (units - 1).bit_length()
            self._restart(before)

    def _leased(self) -> float:
        leased = (self.limit or 0) * self._share
        # Of 2.5 requests a minute only 2 fit into every window. Below one, several workers may overshoot
        # together, by less than one request each.
        return float(math.floor(leased)) if self._whole and leased >= 1 else leased

    def _rate_per_s(self) -> float:
        leased = self._leased()
        if self._whole:
            return HEADROOM * leased / WINDOW_S
        strict = leased - self._largest - self._depth()
        return max(min(HEADROOM * leased, strict), RATE_SHARE_MIN * leased) / WINDOW_S

    def _depth(self) -> float:
        return 1.0 + BURST_S * HEADROOM * self._leased() / WINDOW_S
