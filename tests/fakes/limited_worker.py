"""Workers that share one provider's limit: demand, ticks, rebalances and crashes in virtual time."""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

from fakes.lease_table import FakeLeaseRows, FakeLeaseTable
from processors.errors import StoreUnavailableError
from processors.gateway.lender import Lender
from processors.gateway.lending import TICK_S
from processors.gateway.limits import Demand, ProviderLimits
from schemas.catalogue import LimitRules

SMALL = Demand(model="m", input_tokens=100, output_tokens_max=100)
CALLS_AT_ONCE = 60
CALL_S = 0.5


class LimitedWorker:
    """A worker that calls as long as `busy` says so, and writes down when each call was admitted.

    Args:
        name: of the worker.
        rules: the provider's limits.
        rows: the table that all share.
        log: when a call was admitted, and the tokens that it reserved.
        busy: whether there is work now.
        away: whether the table is away for this worker now.
        drawn: where its delays come from.
    """

    def __init__(  # noqa: PLR0913 - all of a worker's surroundings, named by the test that makes it
        self,
        name: str,
        rules: LimitRules,
        rows: FakeLeaseRows,
        log: list[tuple[float, int]],
        *,
        busy: Callable[[], bool],
        away: Callable[[], bool] = bool,
        drawn: Random,
    ) -> None:
        self._busy = busy
        self._log = log
        self._drawn = drawn
        self.limits = ProviderLimits("p", rules, wait_s_max=1e9)
        table = FakeLeaseTable(rows, name, delay_s=0.4, away=away, drawn=drawn)
        self.lender = Lender("p", self.limits, table)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        works = [self._ticks(), *(self._calls() for _ in range(CALLS_AT_ONCE))]
        self._tasks = [asyncio.create_task(work) for work in works]

    async def crash(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S * self._drawn.uniform(0.5, 1.5))
            with contextlib.suppress(StoreUnavailableError):
                await self.lender.tick()

    async def _calls(self) -> None:
        while True:
            if not self._busy():
                await asyncio.sleep(self._drawn.uniform(0.1, 1.0))
                continue
            async with self.limits.admitted(SMALL) as reserved:
                tokens = reserved.input_tokens + reserved.output_tokens
                self._log.append((asyncio.get_running_loop().time(), tokens))
                await asyncio.sleep(CALL_S)
