"""One seed: warm-up, chaos, heal, quiesce, stop, check.

To read on: `plan.py` (what happens in a seed), `worker.py` (the real parts), `world.py` (the simulated ones),
`nemesis.py` (faults), `watch.py` and `invariants.py` (what must hold), `mutants.py` (bugs to be noticed).
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.headers import TENANT

from . import nemesis
from .broker import DEAD, OUT
from .history import History
from .invariants import check
from .loop import Life, SimulationLoop, drop
from .mutants import Mutant, planted
from .patches import simulated
from .plan import WARM_S, Fate, Scenario, plan
from .world import World

QUIESCE_S_MAX = 400.0
"""After the heal: calls, retries, leases, waits for other workers, and the rest of a slow limit."""
DOOMED_S_MAX = 60.0
"""More for each record of a task that the provider fails for ever: an open breaker lets one call through at a
time, and each copy that the faults have made has attempts of its own."""
COPIES_MAX = 6
"""More of one task are not waited for."""
STOP_S_MAX = 90.0
LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """What came of a seed.

    Attributes:
        violations: texts by invariant; empty when all held.
        trace: hash of all events.
        virtual_s: seconds that passed in it.
        counts: events by kind.
        faults: what was injected, by kind.
        lines: every event, when they were to be kept.
    """

    seed: int
    violations: Mapping[str, list[str]]
    trace: str
    virtual_s: float
    counts: Mapping[str, int]
    faults: Mapping[str, int]
    lines: tuple[str, ...] = ()


def simulate(seed: int, *, keep: bool = False, mutant: Mutant | None = None) -> SeedResult:
    """Run one seed.

    Args:
        seed: of everything.
        keep: whether the events are kept.
        mutant: a bug that is planted for the run.
    """
    scenario, loop = plan(seed), SimulationLoop()
    history = History(loop, keep=keep)
    world = World(scenario, loop, history)
    loop.set_exception_handler(lambda _, context: _tell(world, context))
    with simulated(world, loop), _quiet(), planted(mutant), _collected_at_the_end():
        _run_to_end(world)
        result = SeedResult(
            seed=seed,
            violations=check(world),
            trace=history.trace,
            virtual_s=history.now_s,
            counts=_counts(world),
            faults=world.network.faults,
            lines=tuple(history.lines or ()),
        )
        history.closed = True
        drop(loop)
    return result


def _run_to_end(world: World) -> None:
    asyncio.set_event_loop(world.loop)
    try:
        world.loop.run_until_complete(_run(world))
    except RuntimeError as error:  # the loop's own: nobody moves, or somebody never rests
        world.history.violate("liveness", str(error))


async def _run(world: World) -> None:
    scenario = world.scenario
    for _ in range(scenario.workers):
        world.join()
    _submit_later(world, scenario)
    await asyncio.sleep(WARM_S)
    await nemesis.chaos(world)
    nemesis.heal(world)
    await _quiesce(world)
    await _stop(world)


def _submit_later(world: World, scenario: Scenario) -> None:
    loop = asyncio.get_running_loop()
    for number, task in enumerate(scenario.tasks):
        place = (task.topic, number % scenario.partitions)
        headers = ((TENANT, task.tenant.encode()),)
        loop.call_later(task.at_s, world.broker.append, place, task.key, task.task_id.encode(), headers)


async def _quiesce(world: World) -> None:
    """Wait until every task has ended and every commit is at the end of its log."""
    healed_s = world.history.now_s
    while any(_unfinished(world)):
        bound_s = QUIESCE_S_MAX + DOOMED_S_MAX * sum(_doomed_records(world))
        if world.history.now_s > healed_s + bound_s:
            world.history.violate("liveness", f"not finished {bound_s} s after the heal: {_why(world)}")
            return
        await asyncio.sleep(LOOK_S)
        if not world.living:
            world.join()  # the last one crashed; as its supervisor does


async def _stop(world: World) -> None:
    world.history.note("stop_all")
    for worker in world.workers:
        worker.stop()
    until_s = world.history.now_s + STOP_S_MAX
    while any(not w.stopped and w.process.life is Life.RUNNING for w in world.workers):
        if world.history.now_s > until_s:
            late = [w.process.name for w in world.workers if not w.stopped and w.process.life is Life.RUNNING]
            world.history.violate("liveness", f"not stopped after {STOP_S_MAX} s: {late}")
            return
        await asyncio.sleep(LOOK_S)


def _doomed_records(world: World) -> Iterator[int]:
    """Of each doomed task: as many as have ended, at least the one that it was."""
    for task in world.scenario.tasks:
        if task.fate is Fate.DOOMED:
            yield min(max(1, len(world.watch.results[task.task_id])), COPIES_MAX)


def _unfinished(world: World) -> Iterator[str]:
    for task in world.scenario.tasks:
        if not world.watch.results[task.task_id]:
            yield task.task_id
    commits = {place: at for group in world.broker.groups.values() for place, at in group.committed.items()}
    for place, log in world.broker.logs.items():
        if place[0] not in {OUT, DEAD} and commits.get(place, (0, ""))[0] < len(log):
            yield f"{place}: {commits.get(place)} of {len(log)}"


def _why(world: World) -> str:
    health = {
        w.process.name: w.consumer.health().waiting
        for w in world.workers
        if w.consumer is not None and w.process.life is Life.RUNNING and not w.stopped
    }
    return f"{list(_unfinished(world))[:5]}; {health}"


def _counts(world: World) -> dict[str, int]:
    return {
        **world.history.counts,
        "turns": world.loop.turns,
        "deliveries": world.watch.deliveries,
        "sink_deliveries": world.sink.deliveries,
        "tasks": len(world.scenario.tasks),
    }


def _tell(world: World, context: Mapping[str, Any]) -> None:
    error = context.get("exception")
    unheard = "never retrieved" in str(context.get("message"))  # told when it is collected: at any time
    if error is not None and not unheard and not isinstance(error, asyncio.CancelledError):
        world.history.violate("engine_errors", f"{context.get('message')}: {error!r}")


@contextlib.contextmanager
def _collected_at_the_end() -> Iterator[None]:
    """Without the garbage collector's rounds: `drop` collects what the seed has made, and no more."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the product's log: it is what happens in all seeds."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
