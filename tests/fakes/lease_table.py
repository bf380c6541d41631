"""The table of offers and loans in memory, as slow and as unreliable as a test wants it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from processors.errors import StoreUnavailableError
from processors.gateway.lending import LEASE_S, Standing, Terms, Wish, terms


@dataclass(slots=True)
class FakeLeaseRows:
    """What all workers have written: by provider and worker, with the time at which it ends."""

    entries: dict[tuple[str, str], tuple[Wish, float]] = field(default_factory=dict)

    def write(self, provider: str, worker_id: str, wish: Wish) -> Terms:
        now_s = asyncio.get_running_loop().time()
        others = [
            Standing(wish=entry, left_s=until_s - now_s)
            for (name, other), (entry, until_s) in self.entries.items()
            if name == provider and other != worker_id and until_s > now_s
        ]
        answer = terms(wish, others)
        written = Wish(offered=wish.offered, borrowed=answer.written, hungry=wish.hungry)
        self.entries[provider, worker_id] = (written, now_s + min(LEASE_S, answer.lasts_s))
        return answer


class FakeLeaseTable:
    """One worker's view of the table.

    Args:
        rows: what all workers share.
        worker_id: whose view.
        delay_s: each exchange takes up to that long before, and again after, it is written.
        away: asked before and after the write.
    """

    def __init__(
        self,
        rows: FakeLeaseRows,
        worker_id: str,
        *,
        delay_s: float = 0.0,
        away: Callable[[], bool] = bool,
        drawn: Random | None = None,
    ) -> None:
        self._rows = rows
        self._worker_id = worker_id
        self._delay_s = delay_s
        self._away = away
        self._drawn = drawn or Random(0)

    async def exchange(self, provider: str, wish: Wish) -> Terms:
        await self._way()
        answer = self._rows.write(provider, self._worker_id, wish)
        await self._way()
        return answer

    async def _way(self) -> None:
        await asyncio.sleep(self._drawn.uniform(0, self._delay_s))
        if self._away():
            raise StoreUnavailableError("away")
