"""Hours of steady load: nothing that a worker holds may grow.

Each worker is sampled every few seconds: resident memory, open descriptors, threads, asyncio tasks. The first
half of the run is warm-up (caches fill, allocators settle); of the second half the trend is taken. A thing
grows when its trend is above its bound and the lower end of the trend's confidence interval is above 0.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence

import httpx

from .findings import Bar, Findings
from .scene import PARTITIONS, Running, Scene
from .trend import Trend, trend
from .vitals import Vitals, sample

SOAK_S = 3600.0
SHORT_S = 15.0
TASKS_PER_S = 20.0
WORKERS = 2
SAMPLE_S = 5.0
SHORT_SAMPLE_S = 0.2
CALL_S = 1.0
END_S_MAX = 60.0
SHOWN_EACH_S = 300.0
GROWTH_PER_H_MAX: Mapping[str, float] = {"rss_mib": 4.0, "fds": 2.0, "threads": 1.0, "tasks": 4.0}
"""What a worker of about 120 MiB may grow by in an hour, by attribute of `Vitals`."""
SHORT_GROWTH_MAX: Mapping[str, float] = {"fds": 20.0, "threads": 4.0, "tasks": 25.0}
"""In a run too short for a trend: from the second third's median to the last third's. The 50 tasks of five
seconds, had each left something behind, would be more."""


async def run(scene: Scene, *, short: bool, soak_s: float = SOAK_S) -> Findings:
    """Load two workers steadily and sample them."""
    await scene.start_provider(short_s=CALL_S, long_s=CALL_S)
    workers = [await scene.start_worker() for _ in range(WORKERS)]
    scene.load.trickle(PARTITIONS / TASKS_PER_S)
    samples = await _sampled(scene, workers, *((SHORT_S, SHORT_SAMPLE_S) if short else (soak_s, SAMPLE_S)))
    await scene.load.end_trickles()
    await scene.finished(END_S_MAX)
    bars = _short_bars(samples) if short else _bars(scene, samples)
    return Findings(
        bars=(*bars, *scene.nothing_lost_or_repeated()),
        facts={
            "tasks": len(scene.load.submitted),
            "seconds": SHORT_S if short else soak_s,
            **_facts(samples),
        },
    )


async def _sampled(
    scene: Scene, workers: Sequence[Running], soak_s: float, each_s: float
) -> list[list[Vitals]]:
    samples: list[list[Vitals]] = [[] for _ in workers]
    end_s = time.monotonic() + soak_s
    shown_s = time.monotonic()
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < end_s:
            for worker, taken in zip(workers, samples, strict=True):
                taken.append(await sample(client, worker.child.pid, worker.address))
            if time.monotonic() >= shown_s:
                shown_s += SHOWN_EACH_S
                scene.tell(
                    f"{end_s - time.monotonic():.0f} s left: {'; '.join(_shown(s[-1]) for s in samples)}"
                )
            await asyncio.sleep(each_s)
    return samples


def _bars(scene: Scene, samples: Sequence[Sequence[Vitals]]) -> tuple[Bar, ...]:
    bars = []
    for name, bound in GROWTH_PER_H_MAX.items():
        trends = [trend(_series(taken, name)[len(taken) // 2 :]) for taken in samples]
        for found in trends:
            scene.tell(f"{name}: {_interval(found)} an hour")
        bars.append(Bar(name=f"{name} growth_per_h", measured=max(map(_proven, trends)), bound=bound))
    return tuple(bars)


def _proven(found: Trend) -> float:
    """Growth that may be noise counts as none."""
    return found.per_h if found.low_per_h > 0 else 0.0


def _short_bars(samples: Sequence[Sequence[Vitals]]) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            name=f"{name} growth",
            measured=max(_growth(_series(taken, name)) for taken in samples),
            bound=bound,
        )
        for name, bound in SHORT_GROWTH_MAX.items()
    )


def _growth(series: Sequence[tuple[float, float]]) -> float:
    third, values = len(series) // 3, [value for _, value in series]
    return statistics.median(values[-third:]) - statistics.median(values[third : 2 * third])


def _facts(samples: Sequence[Sequence[Vitals]]) -> dict[str, float]:
    facts = {}
    for name in GROWTH_PER_H_MAX:
        for number, taken in enumerate(samples):
            values = [value for _, value in _series(taken, name)]
            facts[f"worker {number} {name} first"] = values[0]
            facts[f"worker {number} {name} median"] = statistics.median(values)
            facts[f"worker {number} {name} last"] = values[-1]
    return facts


def _series(taken: Sequence[Vitals], name: str) -> list[tuple[float, float]]:
    pairs = ((vitals.at_s, getattr(vitals, name)) for vitals in taken)
    return [(at_s, float(value)) for at_s, value in pairs if value is not None]


def _shown(vitals: Vitals) -> str:
    return f"{vitals.rss_mib:.1f} MiB, {vitals.fds} fds, {vitals.threads} threads, {vitals.tasks} tasks"


def _interval(found: Trend) -> str:
    return f"{found.per_h:+.2f} ({found.low_per_h:+.2f} to {found.high_per_h:+.2f})"
