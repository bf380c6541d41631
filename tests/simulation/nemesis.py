"""Faults: the schedule of a seed, and the end of all of them."""

import asyncio

from .loop import Life
from .plan import SCOPES, Strike, StrikePlan
from .worker import Worker
from .world import World

JUMPS_S = (-3600.0, -30.0, 30.0, 3600.0)
FAST_S = 2.0
"""What a fast clock gains in a second."""

WORKERS_MAX = 4
ON_A_WORKER = {Strike.KILL, Strike.STOP, Strike.PAUSE, Strike.REJOIN, Strike.CUT}
STORE_DOWN_FACTOR = 2.0
"""The store is sometimes away for longer than a worker tries to write an answer."""
PROVIDER_DOWN_S_MAX = 4.0
"""So short that most records outlive it: longer, and all that is left to see are dead letters."""


async def chaos(world: World) -> None:
    """Strike as planned, until the chaos ends."""
    world.noisy(noisy=True)
    for plan in world.scenario.strikes:
        await asyncio.sleep(max(0.0, plan.at_s - world.history.now_s))
        _strike(world, plan)
        if not world.living:
            world.join()
    await asyncio.sleep(max(0.0, world.scenario.chaos_s - world.history.now_s))


def heal(world: World) -> None:
    """End every fault: what runs is reachable, and there is a worker."""
    world.history.note("heal")
    world.noisy(noisy=False)
    world.network.down.clear()
    world.provider.down = False
    for scope in SCOPES:
        world.let_go(scope)
    for worker in world.workers:
        worker.process.connected = True
        world.resume(worker)
    if not world.living:
        world.join()


def _strike(world: World, plan: StrikePlan) -> None:
    running = [w for w in world.living if w.process.life is Life.RUNNING]
    if not running or (plan.strike is Strike.JOIN and len(world.living) >= WORKERS_MAX):
        return
    world.history.note("strike", plan.strike)
    world.network.faults[plan.strike.value] += 1
    if plan.strike in ON_A_WORKER:
        _strike_worker(world, plan, running[int(plan.draw * len(running))])
    else:
        _strike_all(world, plan)


def _strike_all(world: World, plan: StrikePlan) -> None:
    later = asyncio.get_running_loop().call_later
    match plan.strike:
        case Strike.JOIN:
            world.join()
        case Strike.STORE_DOWN | Strike.BROKER_DOWN:
            part = "store" if plan.strike is Strike.STORE_DOWN else "brokers"
            world.network.down.add(part)
            lasts_s = plan.lasts_s * (STORE_DOWN_FACTOR if part == "store" else 1.0)
            later(lasts_s, world.network.down.discard, part)
        case Strike.PROVIDER_DOWN:
            world.provider.down = True
            later(min(plan.lasts_s, PROVIDER_DOWN_S_MAX), _provider_up, world)
        case Strike.HOLD:
            scope = SCOPES[int(plan.draw * len(SCOPES))]
            world.hold(scope)
            later(plan.lasts_s, world.let_go, scope)
        case Strike.CLOCK_JUMP:
            world.set_clock(JUMPS_S[int(plan.draw * len(JUMPS_S))])
        case _:
            for after_s in range(int(plan.lasts_s)):
                later(after_s, world.set_clock, FAST_S)


def _strike_worker(world: World, plan: StrikePlan, worker: Worker) -> None:
    later = asyncio.get_running_loop().call_later
    match plan.strike:
        case Strike.KILL:
            world.kill(worker)
        case Strike.STOP:
            world.history.note("stop", worker.process.name)
            worker.stop()
        case Strike.REJOIN:
            world.rejoin(worker)
        case Strike.PAUSE:
            world.pause(worker)
            later(plan.lasts_s, world.resume, worker)
        case _:
            world.cut(worker)
            later(plan.lasts_s, _mend, worker)


def _mend(worker: Worker) -> None:
    worker.process.connected = True


def _provider_up(world: World) -> None:
    world.provider.down = False
