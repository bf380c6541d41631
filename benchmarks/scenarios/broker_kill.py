"""The only broker is killed and comes back after some seconds, over and over.

Resumed is a partition when a task that was accepted after the kill has ended in it: so the producers and all
four groups work again. It is counted from the moment at which the broker serves clients again: how long that
took is not Pressline's, and told beside it. Memory is flat when no worker's resident memory rises much above
what it was before the first kill, and when it has come back at the end.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .findings import Bar, Findings
from .load import SHORT
from .scene import PARTITIONS, Scene
from .stillness import TRICKLE_S
from .vitals import rss_mib

RESUME_S_MAX = 30.0
PEAK_MIB_MAX = 24.0
GROWTH_MIB_MAX = 8.0
"""A worker has about 130 MiB under load."""
KILLS, DOWN_S, CALM_S = 3, 5.0, 20.0
SHORT_KILLS, SHORT_DOWN_S, SHORT_CALM_S = 1, 1.0, 3.0
CALL_S, WORKERS = 0.5, 2
WARM_UP_TASKS = 400
SHORT_WARM_UP_TASKS = 100
WARM_UP_S_MAX = 60.0
GIVE_UP_S = 90.0
END_S_MAX = 60.0
SAMPLE_S = 0.5


async def run(scene: Scene, *, short: bool) -> Findings:
    """Kill the broker under a steady load and measure until every partition goes on."""
    kills, down_s, calm_s = (SHORT_KILLS, SHORT_DOWN_S, SHORT_CALM_S) if short else (KILLS, DOWN_S, CALM_S)
    await scene.start_provider(short_s=CALL_S, long_s=CALL_S)
    workers = [await scene.start_worker() for _ in range(WORKERS)]
    await scene.load.heap(SHORT, SHORT_WARM_UP_TASKS if short else WARM_UP_TASKS)
    await scene.finished(WARM_UP_S_MAX)
    scene.load.trickle(TRICKLE_S)
    memory: dict[int, list[float]] = {worker.child.pid: [] for worker in workers}
    sampling = asyncio.create_task(_sample(memory))
    await asyncio.sleep(calm_s)
    calm_samples = len(next(iter(memory.values())))
    aways, resumes = [], []
    for _ in range(kills):
        away_s, resume_s = await _killed(scene, down_s)
        scene.tell(f"the broker was away for {away_s:.1f} s, all partitions went on {resume_s:.1f} s later")
        aways.append(away_s)
        resumes.append(resume_s)
        await asyncio.sleep(calm_s)
    await scene.load.end_trickles()
    await scene.finished(END_S_MAX)
    sampling.cancel()
    with suppress(asyncio.CancelledError):
        await sampling
    return Findings(
        bars=(
            Bar(name="resumed after the broker's return_s", measured=max(resumes), bound=RESUME_S_MAX),
            *_memory_bars(memory, calm_samples),
            *scene.nothing_lost_or_repeated(),
        ),
        facts={
            "median resume_s": statistics.median(resumes),
            "broker away at most_s": max(aways),
            "kills": kills,
        },
    )


async def _killed(scene: Scene, down_s: float) -> tuple[float, float]:
    """Kill the broker and start it; return for how long it was away, and how soon every partition went on."""
    killed_s = time.monotonic()
    await scene.kafka.kill(0)
    await asyncio.sleep(down_s)
    await scene.kafka.restart(0)
    back_s = time.monotonic()
    await scene.until(lambda: len(_resumed(scene, killed_s)) == PARTITIONS, GIVE_UP_S)
    resumed = _resumed(scene, killed_s)
    resume_s = max(resumed.values()) - back_s if len(resumed) == PARTITIONS else GIVE_UP_S
    return back_s - killed_s, resume_s


def _resumed(scene: Scene, killed_s: float) -> Mapping[int, float]:
    """Return by partition when the first task ended that was accepted after the kill."""
    accepted, first = scene.load.submitted, {}
    for finish in reversed(scene.watcher.finishes):
        if finish.at_s < killed_s:
            break
        if accepted.get(finish.task_id, 0.0) > killed_s:
            first[finish.partition] = finish.at_s
    return first


async def _sample(memory: Mapping[int, list[float]]) -> None:
    while True:  # the scenario's life is its bound
        for pid, taken in memory.items():
            taken.append(rss_mib(pid))
        await asyncio.sleep(SAMPLE_S)


def _memory_bars(memory: Mapping[int, Sequence[float]], calm: int) -> tuple[Bar, Bar]:
    """Compare with the calm before the first kill the peak since, and as long a calm at the end."""
    before = {pid: statistics.median(taken[:calm]) for pid, taken in memory.items()}
    peaks = [max(taken[calm:]) - before[pid] for pid, taken in memory.items()]
    growths = [statistics.median(taken[-calm:]) - before[pid] for pid, taken in memory.items()]
    return (
        Bar(name="memory at its peak_mib", measured=max(peaks), bound=PEAK_MIB_MAX),
        Bar(name="memory at the end_mib", measured=max(growths), bound=GROWTH_MIB_MAX),
    )
