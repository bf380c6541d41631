"""The provider's limit over all workers, in every window of a minute."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import pairwise

from processors.gateway.bucket import BURST_S

from .world import World

WINDOW_S = 60.0


def rate_limit(world: World) -> list[str]:
    """Turns at the limits in any 60 seconds: as many as the workers' shares of the limit allow.

    A worker's own turns may be more than its shares over the window allow by what may have been saved up:
    one, and BURST_S worth of the share that it began with. In a whole minute the headroom covers that burst.
    While no share changes, all turns together stay within the limit, without any allowance. A worker that
    does not know yet that it lost partitions uses its old share; that counts as leased.
    """
    turns: dict[str, list[float]] = defaultdict(list)
    for at_s, worker in world.store.admissions:
        turns[worker].append(at_s)
    limit = world.scenario.requests_per_minute
    found = []
    for worker, times in turns.items():
        shares = _shares(world, worker)
        for place, begin_s in enumerate(times):
            count = bisect_right(times, begin_s + WINDOW_S - 1e-9) - place
            allowed = limit * (_leased_s(shares, begin_s) + BURST_S * _share_at(shares, begin_s)) / WINDOW_S
            if count > allowed + 1:
                found.append(f"{worker}: {count} turns from {begin_s:.3f} s, its shares allow {allowed:.2f}")
                break
    return found + _steady(world, sorted(t for times in turns.values() for t in times))


def _steady(world: World, times: list[float]) -> list[str]:
    changes = sorted(at_s for at_s, _, _ in world.shares)
    limit = world.scenario.requests_per_minute
    for begin_s, end_s in pairwise([*changes, world.history.now_s]):
        first, last = bisect_left(times, begin_s), bisect_right(times, end_s)
        for place in range(first, last):
            count = min(bisect_right(times, times[place] + WINDOW_S - 1e-9), last) - place
            if count > limit:
                return [f"{count} turns within 60 s from {times[place]:.3f} s, the limit is {limit}"]
    return []


def _shares(world: World, worker: str) -> list[tuple[float, float]]:
    return [(at_s, share) for at_s, name, share in world.shares if name == worker]


def _share_at(shares: list[tuple[float, float]], at_s: float) -> float:
    return next((share for since_s, share in reversed(shares) if since_s <= at_s), 0.0)


def _leased_s(shares: list[tuple[float, float]], begin_s: float) -> float:
    """Seconds of the whole limit that these shares were worth in the window that begins there."""
    end_s, leased_s = begin_s + WINDOW_S, 0.0
    for (at_s, share), (next_s, _) in pairwise([*shares, (end_s, 0.0)]):
        leased_s += share * max(0.0, min(next_s, end_s) - max(at_s, begin_s))
    return leased_s
