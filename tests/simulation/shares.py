"""Shares of the limit that all workers use at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .history import History


@dataclass(slots=True, eq=False, kw_only=True)
class SharesInUse:
    """Who uses how much now: one in all at most, also while a worker is cut off from its group.

    Attributes:
        runs: whether a worker is neither dead nor paused.
    """

    history: History
    runs: Callable[[str], bool]
    _used: dict[str, float] = field(default_factory=dict)

    def use(self, worker: str, share: float) -> None:
        """A worker uses that share from now on."""
        self._used[worker] = share
        used = {name: part for name, part in self._used.items() if self.runs(name)}
        if sum(used.values()) > 1 + 1e-9:
            self.history.violate("shares_over_one", str(used))
