"""A rebalance storm: every two seconds a member joins or leaves all groups, and all partitions move.

The load is a backlog that keeps every slot in use, so that throughput is bound by slots and calls alone; what
is left over after the storm must be gone soon. Lag is 0 when every record is committed.
"""

import asyncio
import time
from collections.abc import Awaitable

from chaos.passer_by import pass_by
from chaos.sampler import OffsetSampler

from .findings import Bar, Findings
from .load import SHORT
from .scene import PARTITIONS, Scene

THROUGHPUT_MIN = 0.5
LAG_S_MAX = 60.0
IN_FLIGHT, CALL_S, WORKERS = 20, 1.0, 2
TASKS_PER_S = WORKERS * IN_FLIGHT / CALL_S
CALM_S, STORM_S = 20.0, 60.0
SHORT_CALM_S, SHORT_STORM_S = 4.0, 8.0
EACH_S = 2.0
STAY_S = 1.0
WARM_UP_S_MAX = 30.0
END_S_MAX = 150.0


async def run(scene: Scene, *, short: bool) -> Findings:
    """Compare the throughput of a storm with that of the calm before it."""
    calm_s, storm_s = (SHORT_CALM_S, SHORT_STORM_S) if short else (CALM_S, STORM_S)
    await scene.start_provider(short_s=CALL_S, long_s=CALL_S)
    for _ in range(WORKERS):
        await scene.start_worker(IN_FLIGHT=IN_FLIGHT)
    async with OffsetSampler(scene.kafka.bootstrap_servers, PARTITIONS) as sampler:
        await scene.load.heap(SHORT, int(TASKS_PER_S * (calm_s + storm_s)))
        await scene.until(lambda: bool(scene.watcher.ended), WARM_UP_S_MAX)
        calm = await _rate(scene, asyncio.sleep(calm_s))
        passes = asyncio.create_task(_storm(scene, storm_s))
        storm = await _rate(scene, asyncio.shield(passes))
        ended_s = time.monotonic()
        scene.tell(f"{calm:.1f} tasks/s in the calm, {storm:.1f} in the storm")
        await scene.finished(END_S_MAX)
        await scene.until(lambda: not sampler.lag, END_S_MAX)
        lag_s, lag = time.monotonic() - ended_s, sum(sampler.lag.values())
    return Findings(
        bars=(
            Bar(name="throughput, share of calm", measured=storm / calm, bound=THROUGHPUT_MIN, at_least=True),
            Bar(name="lag 0 after_s", measured=lag_s, bound=LAG_S_MAX),
            Bar(name="records of lag at the end", measured=lag, bound=0),
            *scene.nothing_lost_or_repeated(),
        ),
        facts={"calm tasks_per_s": calm, "storm tasks_per_s": storm, "passes": passes.result()},
    )


async def _rate(scene: Scene, work: Awaitable[object]) -> float:
    """Return how many tasks a second end while the work goes on."""
    before, since_s = len(scene.watcher.ended), time.monotonic()
    await work
    return (len(scene.watcher.ended) - before) / (time.monotonic() - since_s)


async def _storm(scene: Scene, storm_s: float) -> int:
    """Let a member join, stay and leave, over and over; return how often."""
    passes, end_s = 0, time.monotonic() + storm_s
    while (now_s := time.monotonic()) < end_s:
        await pass_by(scene.kafka.bootstrap_servers, STAY_S)
        passes += 1
        await asyncio.sleep(max(0.0, now_s + EACH_S - time.monotonic()))
    return passes
