"""Lending: what idle workers do not use of a provider's limit, busy ones may.

Each worker has the share of the limit that its partitions give it. A table that all workers write to says who
offers how much of its share, and who has borrowed how much. The rule:

1. Who has not used the provider for UNUSED_S seconds offers its share, but for FLOOR_PART of it, which is
   for the first calls that come. Whose calls wait borrows: an even part of what is offered, if it is free.
2. Less is used before it is written, more is written before it is used; one worker writes at a time. So what
   is borrowed is never more than what is offered, and offered shares are not used.
3. Who wants its share back withdraws its offer. It uses the share again when no more is borrowed than others
   offer. Borrowers look every TICK_S seconds and give back what is no longer theirs.
4. What is written ends after LEASE_S seconds unless it is written again, and nothing borrowed outlasts the
   offers. So a worker that crashed, or a store that is away, leaves each with its own share after that time.
5. A rebalance gives everybody a new share at once, all else is void: for SETTLE_S seconds nobody writes, and
   what was written before has ended by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TICK_S = 1.0
UNUSED_S = 10.0
FLOOR_PART = 0.05
LEASE_S = 5.0
EXCHANGE_S_MAX = 2.0
SETTLE_S = 2 * LEASE_S
"""More than what is written may outlive a rebalance: EXCHANGE_S_MAX until it is there, and LEASE_S then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a worker writes. Shares are parts of the limit over all workers, 0 to 1.

    Attributes:
        offered: share that it does not use.
        borrowed: share of others that it uses now.
        hungry: whether calls wait, so that it would borrow.
    """

    offered: float
    borrowed: float
    hungry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What another worker has written, and in how many seconds it ends."""

    wish: Wish
    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the table answers.

    Attributes:
        borrowed: share of others that may be used; when it is less than before, what is written is not.
        written: what the table has as borrowed now: all that may still be in use.
        missing: share that is borrowed though nobody offers it any more.
        lasts_s: seconds for which this holds, from when it was asked for.
    """

    borrowed: float
    written: float
    missing: float
    lasts_s: float


class LeaseTable(Protocol):
    """The table of all workers, as one of them sees it."""

    async def exchange(self, provider: str, wish: Wish) -> Terms:
        """Write this worker's entry, by `terms` and with nobody else in between.

        Raises:
            StoreUnavailableError: the table is away; whether the entry was written is unknown.
        """


def terms(wish: Wish, others: Sequence[Standing]) -> Terms:
    """Return what a worker gets.

    Args:
        wish: its own.
        others: entries of all other workers that have not ended.
    """
    offered = sum(other.wish.offered for other in others)
    taken = sum(other.wish.borrowed for other in others)
    even = offered / (1 + sum(other.wish.hungry for other in others))
    borrowed = max(0.0, min(even, offered - taken)) if wish.hungry else 0.0
    ends = [other.left_s for other in others if other.wish.offered > 0]
    return Terms(
        borrowed=borrowed,
        written=max(borrowed, wish.borrowed),
        missing=max(0.0, taken - offered),
        lasts_s=min(LEASE_S, *ends) if ends and wish.offered == 0 else LEASE_S,
    )
