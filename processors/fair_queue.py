"""Who goes next: lanes by weight, and in a lane the tenants alike.

One rule on both levels, max-min fairness: the next item is that of the lane with the least in work for its
weight, and in it that of the tenant with the least in work. So a lane of weight 9 beside one of weight 1 has
nine tenths of the work while both wait, all of it while the other is idle, and nobody waits for ever. Where
nothing stays in work for long, lanes that are even take turns by weight. Of a tenant the oldest goes first.
Source: Demers, Keshav, Shenker: Analysis and Simulation of a Fair Queueing Algorithm, SIGCOMM 1989.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, TypeVar

from schemas.base import Lane

T = TypeVar("T")

LANE_WEIGHTS: Mapping[str, int] = {Lane.LIVE: 9, Lane.BULK: 1}
"""While both lanes wait, nine of ten turns are those of live work."""


def _never(_lane: str, _tenant: str) -> bool:
    return False


@dataclass(slots=True, eq=False)
class _Tenant(Generic[T]):
    waiting: deque[tuple[float, T]] = field(default_factory=deque)
    """Each with its age, the oldest first."""
    in_work: int = 0


@dataclass(slots=True, eq=False)
class _Lane(Generic[T]):
    weight: int
    waiting: int = 0
    in_work: int = 0
    turns: float = 0.0
    """Turns that it had for its weight; after it was idle, no fewer than whoever was served last had."""
    tenants: dict[str, _Tenant[T]] = field(default_factory=dict)
    ready: dict[str, _Tenant[T]] = field(default_factory=dict)
    """Tenants that have something waiting; whoever was served last stands last."""


class FairQueue(Generic[T]):
    """Items that wait for their turn, and the count of those in work.

    Args:
        weights: weight of each lane (1 or more).
        tenant_max: most items of one tenant and lane in work at once, or None for no such bound.
        closed: asked with lane and tenant whether theirs must wait for now.
    """

    def __init__(
        self,
        weights: Mapping[str, int],
        *,
        tenant_max: int | None = None,
        closed: Callable[[str, str], bool] = _never,
    ) -> None:
        self._lanes: dict[str, _Lane[T]] = {name: _Lane(weight) for name, weight in weights.items()}
        self._tenant_max = tenant_max
        self._closed = closed
        self._served = 0.0
        """Most turns that a lane had had when it was served: who comes back from idleness starts there."""

    def __len__(self) -> int:
        return sum(lane.waiting for lane in self._lanes.values())

    def __iter__(self) -> Iterator[T]:
        """Iterate over what waits, in no particular order."""
        tenants = (tenant for lane in self._lanes.values() for tenant in lane.ready.values())
        return (item for tenant in tenants for _, item in tenant.waiting)

    def put(self, lane: str, tenant: str, item: T, since: float = 0) -> None:
        """Let `item` wait behind those of its tenant that are not younger.

        Args:
            lane: its lane.
            tenant: its tenant.
            item: what waits.
            since: from when it is: what was held up elsewhere is older than what came here before it.
        """
        queue = self._lanes[lane]
        if not queue.waiting:
            queue.turns = max(queue.turns, self._served)
        queue.waiting += 1
        entry = queue.tenants.setdefault(tenant, _Tenant())
        if entry.waiting and since < entry.waiting[-1][0]:
            insort(entry.waiting, (since, item), key=itemgetter(0))
        else:
            entry.waiting.append((since, item))
        queue.ready[tenant] = entry

    def next(self) -> T | None:
        """Return the item whose turn it is, in work from now on until `done`; None when none may go."""
        lanes = [pair for pair in self._lanes.items() if pair[1].waiting]
        if len(lanes) > 1:
            lanes.sort(key=lambda pair: (pair[1].in_work / pair[1].weight, pair[1].turns))
        for name, lane in lanes:
            tenant = self._next_tenant(name, lane)
            if tenant is not None:
                self._served = max(self._served, lane.turns)
                return _start(lane, tenant)
        return None

    def done(self, lane: str, tenant: str) -> None:
        """Count one item of that lane and tenant as no longer in work."""
        queue = self._lanes[lane]
        entry = queue.tenants[tenant]
        queue.in_work -= 1
        entry.in_work -= 1
        if not entry.in_work and not entry.waiting:
            del queue.tenants[tenant]

    def remove(self, lane: str, tenant: str, item: T) -> None:
        """Take out `item`, if it still waits there."""
        queue = self._lanes[lane]
        entry = queue.ready.get(tenant)
        place = next((pair for pair in entry.waiting if pair[1] == item), None) if entry else None
        if entry is not None and place is not None:
            entry.waiting.remove(place)
            queue.waiting -= 1
            _forget_if_idle(queue, tenant, entry)

    def sweep(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Take out whatever is `unwanted`, and return it."""
        swept: list[T] = []
        for lane in self._lanes.values():
            for name, tenant in tuple(lane.ready.items()):
                gone = [item for _, item in tenant.waiting if unwanted(item)]
                if gone:
                    tenant.waiting = deque(pair for pair in tenant.waiting if not unwanted(pair[1]))
                    lane.waiting -= len(gone)
                    _forget_if_idle(lane, name, tenant)
                    swept += gone
        return swept

    def _next_tenant(self, lane_name: str, lane: _Lane[T]) -> str | None:
        best: str | None = None
        least = self._tenant_max
        for name, tenant in lane.ready.items():
            if (least is None or tenant.in_work < least) and not self._closed(lane_name, name):
                best, least = name, tenant.in_work
                if not least:
                    break  # nobody has less, and of thousands of tenants the first is likely such a one
        return best


def _start(lane: _Lane[T], name: str) -> T:
    tenant = lane.ready.pop(name)
    _, item = tenant.waiting.popleft()
    if tenant.waiting:
        lane.ready[name] = tenant
    tenant.in_work += 1
    lane.in_work += 1
    lane.turns += 1 / lane.weight
    lane.waiting -= 1
    return item


def _forget_if_idle(lane: _Lane[T], name: str, tenant: _Tenant[T]) -> None:
    if tenant.waiting:
        return
    del lane.ready[name]
    if not tenant.in_work:
        del lane.tenants[name]
