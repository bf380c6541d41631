"""SIGTERM to a worker while its groups rebalance.

A third worker joins, and one of the two old ones is asked to stop when it has just heard that its groups
rebalance: the join and the leave are two rebalances in a row, with calls in flight that outlast both.
"""

import asyncio
import time

from fixtures.worker import terminate

from .findings import Bar, Findings
from .load import LONG
from .scene import PARTITIONS, Running, Scene
from .stillness import TRICKLE_S, facts, gaps_s, longest_s

HOLE_S_MAX = 5.0
ROUNDS, CALLS, CALL_S = 4, 200, 15.0
SHORT_ROUNDS, SHORT_CALLS, SHORT_CALL_S = 1, 40, 8.0
SHORT_TASK_S = 0.2
DRAIN_MARGIN_S = 30.0
WARM_UP_S = 10.0
UNDER_WAY_S_MAX = 30.0
REBALANCE_S_MAX = 60.0
SETTLE_S = 3.0
END_S_MAX = 90.0
HEARD = "because it is rebalancing"
"""What a worker's log says when a heartbeat tells it so."""


async def run(scene: Scene, *, short: bool) -> Findings:
    """Replace workers one by one, each asked to stop in the rebalance that its successor's join begins."""
    rounds, calls, call_s = (SHORT_ROUNDS, SHORT_CALLS, SHORT_CALL_S) if short else (ROUNDS, CALLS, CALL_S)
    drain_s = call_s + DRAIN_MARGIN_S
    await scene.start_provider(short_s=SHORT_TASK_S, long_s=call_s)
    workers = [await scene.start_worker(DRAIN_S=drain_s) for _ in range(2)]
    scene.load.trickle(TRICKLE_S)
    await scene.until(lambda: len(scene.watcher.ended) >= PARTITIONS, WARM_UP_S)
    since_s = time.monotonic()
    hits = 0
    for number in range(rounds):
        await scene.load.heap(LONG, calls)
        await scene.until(lambda: scene.calls_under_way() >= calls, UNDER_WAY_S_MAX)
        leaving = workers.pop(0)
        joining = asyncio.create_task(scene.start_worker(DRAIN_S=drain_s))
        hits += await _rebalances(scene, leaving)
        scene.tell(f"round {number + 1}: {scene.calls_under_way()} calls in flight, SIGTERM")
        await terminate(leaving.child, within_s=drain_s + DRAIN_MARGIN_S)
        workers.append(await joining)
        await asyncio.sleep(SETTLE_S)
    gaps = gaps_s(scene.watcher.finishes, scene.call_starts(), since_s, time.monotonic())
    await scene.load.end_trickles()
    await scene.finished(END_S_MAX)
    return Findings(
        bars=(
            Bar(name="longest pause of a partition_s", measured=longest_s(gaps), bound=HOLE_S_MAX),
            Bar(name="SIGTERMs in a rebalance", measured=hits, bound=rounds, at_least=True),
            *scene.nothing_lost_or_repeated(),
        ),
        facts=facts(gaps),
    )


async def _rebalances(scene: Scene, worker: Running) -> bool:
    """Wait until the worker hears of a rebalance that it has not heard of yet."""
    before = worker.said(HEARD)
    return await scene.until(lambda: worker.said(HEARD) > before, REBALANCE_S_MAX)
