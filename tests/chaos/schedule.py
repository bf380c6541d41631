"""The seeded schedule of faults, and its execution."""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .artefacts import AppliedFault
from .faults.fault import Fault
from .faults.leader_kill import LeaderKill
from .faults.worker_kill import WorkerKill
from .scene import Scene
from .waiting import until

FIRST_AT, LAST_AT = 0.03, 0.85
DELAY_S_MAX = 1.0
AT_ONCE_SHARE = 0.5
LOAD_AHEAD_SHARE = 0.1
RECOVERY_S_MAX = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault.

    Attributes:
        fault: which.
        at: share of the tasks that have ended; progress makes a plan mean the same on every machine, as in
            Apache Kafka's transactions_test.py, which bounces after each 20 %.
        delay_s: from then to the fault, in seconds.
        lasts_s: from the fault to its healing, in seconds.
    """

    fault: type[Fault]
    at: float
    delay_s: float
    lasts_s: float


def plan_kills(count: int, seed: int) -> tuple[PlannedFault, ...]:
    """Return when workers are killed, in order; anywhere, also during other faults."""
    chance = random.Random(f"kills {seed}")
    places = sorted(chance.uniform(FIRST_AT, LAST_AT) for _ in range(count))
    return tuple(_planned(WorkerKill, at, chance) for at in places)


def plan_faults(faults: Sequence[type[Fault]], broker_kills: int, seed: int) -> tuple[PlannedFault, ...]:
    """Return when the other faults strike: one after the other, in a drawn order, evenly over the load."""
    chance = random.Random(f"faults {seed}")
    drawn: list[type[Fault]] = [*faults, *(LeaderKill for _ in range(broker_kills))]
    chance.shuffle(drawn)
    step = (LAST_AT - FIRST_AT) / max(1, len(drawn))
    return tuple(_planned(fault, FIRST_AT + step * place, chance) for place, fault in enumerate(drawn))


def _planned(fault: type[Fault], at: float, chance: random.Random) -> PlannedFault:
    shortest_s, longest_s = fault.lasts_s
    at_once = shortest_s == 0 and chance.random() < AT_ONCE_SHARE
    lasts_s = 0.0 if at_once else chance.uniform(shortest_s, longest_s)
    return PlannedFault(fault=fault, at=at, delay_s=chance.uniform(0, DELAY_S_MAX), lasts_s=lasts_s)


class Schedule:
    """Applies faults and heals them.

    Args:
        scene: what to.
        tasks: how many there are in all.
    """

    def __init__(self, scene: Scene, tasks: int) -> None:
        self.applied: list[AppliedFault] = []
        self.load_up_to = 1.0
        self._scene = scene
        self._tasks = tasks

    async def run(self, kills: Sequence[PlannedFault], faults: Sequence[PlannedFault]) -> None:
        """Execute both plans side by side; return when everything is healed."""
        await asyncio.gather(self._overlapping(kills), self._in_turn(faults))

    async def _overlapping(self, plans: Sequence[PlannedFault]) -> None:
        """A worker may die while another has not come back."""
        healing: list[asyncio.Task[None]] = []
        for plan in plans:
            await self._reached(plan)
            fault, started_s = await self._apply(plan)
            healing.append(asyncio.create_task(self._heal(plan, fault, started_s)))
        await asyncio.gather(*healing)

    async def _in_turn(self, plans: Sequence[PlannedFault]) -> None:
        """The next one when the pipeline moves again; the load hangs back, and none strikes an idle one."""
        for plan in plans:
            self.load_up_to = plan.at + LOAD_AHEAD_SHARE
            await self._reached(plan)
            fault, started_s = await self._apply(plan)
            await self._heal(plan, fault, started_s)
        self.load_up_to = 1.0

    async def _reached(self, plan: PlannedFault) -> None:
        await until(lambda: self._scene.finished() >= plan.at * self._tasks)
        await asyncio.sleep(plan.delay_s)

    async def _apply(self, plan: PlannedFault) -> tuple[Fault, float]:
        log.info("%s begins: %s", plan.fault.row, plan.fault.name)
        fault, started_s = plan.fault(self._scene), time.monotonic()
        await fault.apply()
        return fault, started_s

    async def _heal(self, plan: PlannedFault, fault: Fault, started_s: float) -> None:
        await asyncio.sleep(plan.lasts_s)
        await fault.heal()
        healed_s = time.monotonic()
        log.info("%s is healed", fault.row)
        moved = await self._moves_again()
        self.applied.append(
            AppliedFault(
                row=fault.row,
                name=fault.name,
                lasted_s=round(healed_s - started_s, 1),
                recovery_s=round(time.monotonic() - healed_s, 1) if moved else None,
            )
        )

    async def _moves_again(self) -> bool:
        """Wait until more tasks end, RECOVERY_S_MAX seconds at most; tell whether they did."""
        before = self._scene.finished()
        if before >= self._tasks:
            return False  # nothing is left to move
        try:
            async with asyncio.timeout(RECOVERY_S_MAX):
                await until(lambda: self._scene.finished() > before)
        except TimeoutError:
            return False
        return True
