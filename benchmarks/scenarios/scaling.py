"""From one worker to two and back, with 2,000 calls of a minute in flight.

A steady flow of long calls keeps so many in flight: as many end as begin, before, between and after the
changes. No partition stands still for long, no call is repeated, none is lost. The second worker has calls of
its own when it is asked to stop; it is given more than a call's time to drain.
"""

import asyncio
import time
from dataclasses import dataclass

from fixtures.worker import terminate

from .findings import Bar, Findings
from .load import LONG
from .scene import PARTITIONS, Running, Scene
from .stillness import TRICKLE_S, facts, gaps_s, longest_s

STILL_S_MAX = 3.0
SHORT_TASK_S = 0.2
WARM_UP_S = 10.0
DRAIN_MARGIN_S = 30.0
FLOW_SURPLUS = 1.1
"""More in flight than are wanted, so that a slow start of some does not fail the bar."""
FILL_S_MAX = 30.0
LOOK_S = 1.0
SETTLE_S = 3.0
END_S_MAX = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the scenario is.

    Attributes:
        in_flight_min: long calls that must be in flight at both changes, or the scenario shows nothing.
        call_s: how long each takes, in seconds.
        shared_s: how long both workers take new calls, in seconds.
    """

    in_flight_min: int
    call_s: float
    shared_s: float


FULL = Size(in_flight_min=2000, call_s=60.0, shared_s=20.0)
SHORT = Size(in_flight_min=50, call_s=8.0, shared_s=3.0)


async def run(scene: Scene, *, short: bool) -> Findings:
    """Scale up, scale down, and look at the pauses between ends of short tasks."""
    size = SHORT if short else FULL
    drain_s = size.call_s + DRAIN_MARGIN_S
    await scene.start_provider(short_s=SHORT_TASK_S, long_s=size.call_s)
    await scene.start_worker(DRAIN_S=drain_s)
    scene.load.trickle(TRICKLE_S)
    await scene.until(lambda: len(scene.watcher.ended) >= PARTITIONS, WARM_UP_S)
    at_up = await _filled(scene, size)
    since_s = time.monotonic()
    scene.tell(f"{at_up} calls in flight: a second worker joins")
    second = await scene.start_worker(DRAIN_S=drain_s)
    await asyncio.sleep(size.shared_s)
    at_down = scene.calls_under_way()
    scene.tell(f"{at_down} calls in flight: the second worker is asked to stop")
    drained_s = await _stopped(second, drain_s + DRAIN_MARGIN_S)
    await asyncio.sleep(SETTLE_S)
    gaps = gaps_s(scene.watcher.finishes, scene.call_starts(), since_s, time.monotonic())
    await scene.load.end_trickles()
    await scene.finished(size.call_s + END_S_MAX)
    return Findings(
        bars=(
            Bar(name="longest pause of a partition_s", measured=longest_s(gaps), bound=STILL_S_MAX),
            Bar(
                name="calls in flight at a change",
                measured=min(at_up, at_down),
                bound=size.in_flight_min,
                at_least=True,
            ),
            *scene.nothing_lost_or_repeated(),
        ),
        facts={**facts(gaps), "drained_s": drained_s, "calls at up": at_up, "calls at down": at_down},
    )


async def _filled(scene: Scene, size: Size) -> int:
    """Begin a steady flow of long calls, wait until enough are in flight, and return how many are."""
    per_s = FLOW_SURPLUS * size.in_flight_min / size.call_s
    scene.load.trickle(PARTITIONS / per_s, LONG)
    until_s = time.monotonic() + size.call_s + FILL_S_MAX
    while (calls := scene.calls_under_way()) < size.in_flight_min and time.monotonic() < until_s:  # noqa: ASYNC110 - another process
        await asyncio.sleep(LOOK_S)  # each look reads the provider's whole log
    return calls


async def _stopped(worker: Running, within_s: float) -> float:
    """Stop the worker in order and return how many seconds that took."""
    asked_s = time.monotonic()
    await terminate(worker.child, within_s=within_s)
    return time.monotonic() - asked_s
