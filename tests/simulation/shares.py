"""Shares of the limit that all workers use at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from processors.gateway.lending import EXCHANGE_S_MAX, LEASE_S

from .history import History


@dataclass(slots=True, eq=False, kw_only=True)
class SharesInUse:
    """Who uses how much now: one in all at most.

    But not while a worker that runs was put out of the group and has not heard of it: it uses its old share,
    or lends it, and such a loan may outlast that by its own length.

    Attributes:
        takes_part: whether a worker is a member of the group, of its present generation.
        runs: whether it is neither dead nor paused.
    """

    history: History
    takes_part: Callable[[str], bool]
    runs: Callable[[str], bool]
    _used: dict[str, float] = field(default_factory=dict)
    _stale_s: float = -60.0

    def use(self, worker: str, share: float) -> None:
        """A worker uses that share from now on."""
        if any(self._stale(name) for name, part in self._used.items() if part > 0):
            self._stale_s = self.history.now_s
        self._used[worker] = share
        used = {name: part for name, part in self._used.items() if self.runs(name) and self.takes_part(name)}
        over = sum(used.values()) > 1 + 1e-9
        if over and self.history.now_s - self._stale_s > LEASE_S + EXCHANGE_S_MAX:
            self.history.violate("shares_over_one", str(used))

    def _stale(self, worker: str) -> bool:
        return self.runs(worker) and not self.takes_part(worker)
