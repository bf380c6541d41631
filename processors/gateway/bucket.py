"""A leaky bucket that keeps a strict sliding window.

`AsyncLimiter(600, 60)` lets 600 through at once and 600 more within the next minute: a window of 60 seconds
can see 1,200. This bucket is shallow (BURST_S worth, at least one unit) and leaks a little slower than the
limit, so that

    rate * 60 s + depth + largest amount taken at once <= limit.

The largest amount is in the sum because it was saved up before the window in which it counts.
"""

import math

from aiolimiter import AsyncLimiter

WINDOW_S = 60.0
HEADROOM = 0.98
"""Part of the limit that is used; the rest takes up the burst and the way to the provider."""

BURST_S = 0.1
RATE_SHARE_MIN = 0.5
"""However large a single amount is, half the limit stays in use: then that one amount may overshoot."""


class Bucket:
    """Units per minute. One taker at a time: callers queue before it.

    Args:
        limit_per_minute: over all workers, or None for no limit.
        whole: True when units are taken one by one (requests), False for amounts (tokens).
    """

    def __init__(self, limit_per_minute: int | None, *, whole: bool) -> None:
        self._limit = limit_per_minute
        self._whole = whole
        self._share = 1.0
        self._largest = 0
        self._owed = 0.0
        self._limiter: AsyncLimiter | None = None

    def set_share(self, share: float) -> None:
        """Start anew, empty, on that share (more than 0, at most 1) of the limit."""
        self._share = share
        self._limiter = None

    def adjust(self, units: float) -> None:
        """Charge (or, when negative, credit) units to whoever takes next.

        aiolimiter takes nothing back, so a credit lives here, and no more of it than one burst: credit saved
        up in quiet times would let a whole burst through later. What is beyond that is not refunded.
        """
        if self._limit is not None:
            self._owed = max(self._owed + units, -self._depth())

    async def take(self, units: int) -> None:
        """Wait until `units` more fit, then take them. A share that changes starts the wait anew."""
        if self._limit is None:
            return
        self._fit(units)
        due = units + self._owed
        self._owed = min(due, 0.0)
        # Bounded by the caller's deadline; each round takes a depth's worth.
        while due > 0:
            limiter = await self._current()
            part = min(due, limiter.max_rate)
            await limiter.acquire(part)
            if limiter is self._limiter:
                due -= part

    async def _current(self) -> AsyncLimiter:
        if self._limiter is None:
            depth = self._depth()
            limiter = AsyncLimiter(depth, depth / self._rate_per_s())
            self._limiter = limiter
            await limiter.acquire(depth)  # a fresh bucket lets its depth through at once: this is it
        return self._limiter

    def _fit(self, units: int) -> None:
        # Rounded up to a power of two, so that slowly growing amounts seldom start the bucket anew.
        if not self._whole and units > self._largest:
            self._largest = 1 << (units - 1).bit_length()
            self._limiter = None

    def _leased(self) -> float:
        leased = (self._limit or 0) * self._share
        # Of 2.5 requests a minute only 2 fit into every window. Below one, several workers may overshoot
        # together, by less than one request each.
        return float(math.floor(leased)) if self._whole and leased >= 1 else leased

    def _rate_per_s(self) -> float:
        leased = self._leased()
        strict = leased - self._largest - BURST_S * HEADROOM * leased / WINDOW_S
        return max(min(HEADROOM * leased, strict), RATE_SHARE_MIN * leased) / WINDOW_S

    def _depth(self) -> float:
        return max(1.0, BURST_S * HEADROOM * self._leased() / WINDOW_S)
