"""Shares of the limit that all workers use at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .history import History

MOMENT_S = 0.01
"""A worker that was paused may be in the middle of something when it goes on, before it sees the time."""


@dataclass(slots=True, eq=False, kw_only=True)
class SharesInUse:
    """Who uses how much now: one in all at most, also while a worker is cut off from its group.

    Attributes:
        runs: whether a worker is neither dead nor paused.
    """

    history: History
    runs: Callable[[str], bool]
    _used: dict[str, float] = field(default_factory=dict)
    _over_s: float | None = None

    def use(self, worker: str, share: float) -> None:
        """A worker uses that share from now on."""
        if self._over_s is not None and self.history.now_s - self._over_s > MOMENT_S:
            self.history.violate("shares_over_one", f"since {self._over_s:.3f} s: {self._used}")
        self._used[worker] = share
        used = sum(part for name, part in self._used.items() if self.runs(name))
        if used <= 1 + 1e-9:
            self._over_s = None
        elif self._over_s is None:
            self._over_s = self.history.now_s
