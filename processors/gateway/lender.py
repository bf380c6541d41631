"""One provider's limit in one worker: what of it is used, lent and borrowed. `lending.py` has the rule."""

import asyncio

from processors.errors import StoreUnavailableError
from processors.gateway.lending import (
    EXCHANGE_S_MAX,
    FLOOR_PART,
    LEASE_S,
    SETTLE_S,
    UNUSED_S,
    LeaseTable,
    Terms,
    Wish,
)
from processors.gateway.limits import ProviderLimits

WRITES_MAX = 2
"""Once to ask, and once more when less is used since the answer."""


class Lender:
    """Sets the share of `limits`; nobody else does.

    Args:
        provider: name in the catalogue.
        limits: this worker's.
        table: what all workers offer and borrow.
    """

    def __init__(self, provider: str, limits: ProviderLimits, table: LeaseTable) -> None:
        self._provider = provider
        self._limits = limits
        self._table = table
        self._leased = 0
        self._share = 0.0
        self._settled_at_s = 0.0
        self._hungry_at_s = -UNUSED_S
        self._offered = 0.0
        self._borrowed = 0.0
        self._missing = 0.0
        self._offer_ends_s = 0.0
        self._ending: asyncio.TimerHandle | None = None

    def set_share(self, share: float) -> None:
        """Take what a rebalance gives, 0 to 1; all that was lent and borrowed is void."""
        self._leased += 1
        self._share = share
        self._offered = self._borrowed = self._missing = self._offer_ends_s = 0.0
        self._settled_at_s = _now_s() + SETTLE_S
        self._limits.set_share(share)

    async def tick(self) -> bool:
        """Offer, borrow or give back, as things stand now; to be called every TICK_S seconds.

        Returns:
            Whether the table answered; there may be nothing to ask it.

        Raises:
            StoreUnavailableError: the table is away; what is borrowed and lent ends by itself.
        """
        now_s = _now_s()
        if self._share == 0 or now_s < self._settled_at_s:
            return False
        if self._limits.waiting():
            self._hungry_at_s = now_s
        self._look(now_s)
        answered = False
        for _ in range(WRITES_MAX):
            wish = Wish(offered=self._offered, borrowed=self._borrowed, hungry=self._hungry(now_s))
            if not (wish.offered or wish.borrowed or wish.hungry or self._missing):
                break
            answer = await self._exchange(wish)
            answered = True
            if answer is None or answer.written == self._borrowed:
                break
        return answered

    def _look(self, now_s: float) -> None:
        """Decide whether to lend, before anything is written."""
        if self._limits.unused_s() >= UNUSED_S:
            self._borrowed = 0.0
            self._offered = self._missing = self._share * (1 - FLOOR_PART)
        else:
            self._offered = 0.0
            if now_s >= self._offer_ends_s:
                self._missing = 0.0
        self._apply()

    async def _exchange(self, wish: Wish) -> Terms | None:
        """Return what the table answers, already in use; None when a rebalance made it void."""
        leased, asked_at_s = self._leased, _now_s()
        ends_s = LEASE_S + EXCHANGE_S_MAX
        try:
            async with asyncio.timeout(EXCHANGE_S_MAX):
                answer = await self._table.exchange(self._provider, wish)
            ends_s = LEASE_S
        except TimeoutError as error:
            raise StoreUnavailableError(
                f"no answer on who lends {self._provider} in {EXCHANGE_S_MAX:g} s, expected one"
            ) from error
        finally:
            if wish.offered and leased == self._leased:
                self._offer_ends_s = _now_s() + ends_s
        if leased != self._leased:
            return None
        self._use(answer, wish, asked_at_s)
        return answer

    def _use(self, answer: Terms, wish: Wish, asked_at_s: float) -> None:
        if not wish.offered:
            self._missing = min(self._missing, answer.missing)
        ends_at_s = asked_at_s + answer.lasts_s
        # An answer can be so late that its loan has ended.
        self._borrowed = answer.borrowed if ends_at_s > _now_s() else 0.0
        self._end_later(ends_at_s)
        self._apply()

    def _apply(self) -> None:
        usable = max(FLOOR_PART * self._share, self._share - self._missing) + self._borrowed
        if usable != self._limits.share:
            self._limits.set_share(usable)

    def _hungry(self, now_s: float) -> bool:
        return self._offered == 0 and now_s - self._hungry_at_s < UNUSED_S

    def _end_later(self, at_s: float) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = None
        if self._borrowed:
            self._ending = asyncio.get_running_loop().call_at(at_s, self._end)

    def _end(self) -> None:
        self._borrowed = 0.0
        self._apply()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
