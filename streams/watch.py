"""Watching a load until every row has an outcome or waits for a person."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from processors.errors import StoreUnavailableError
from streams.progress import LoadProgress, ProgressMeter, is_settled
from streams.store.batches import BatchStatus

LOOK_S = 1.0
REST_FACTOR = 10.0
"""Counting that took t seconds is followed by 10 t of rest: a load of a million rows is no burden."""
REST_S_MAX = 30.0
STORE_AWAY_S_MAX = 60.0
WAIT_S_MAX = 86_400.0
"""Longest watch unless said otherwise: a day."""
NEWEST_SHOWN = 5


class UnknownBatchError(Exception):
    """No load has that id; the text names the newest."""


class Batches(Protocol):
    """What is asked about loads."""

    async def get(self, batch_id: str) -> BatchStatus | None:
        """Return the load with its counts, or None."""

    async def newest(self, count: int) -> Sequence[BatchStatus]:
        """Return the `count` newest loads, newest first."""

    async def simulated(self, batch_id: str) -> bool:
        """Return whether a model call of the load was answered by a simulation."""

    async def set_finished(self, batch_id: str) -> bool:
        """Record that the load is finished, if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How time passes: the machine's, or a test's.

    Attributes:
        now_s: monotonic seconds.
        sleep: waits for seconds.
    """

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = field(default=asyncio.sleep)


async def watch(
    batches: Batches,
    batch_id: str,
    on_look: Callable[[LoadProgress], None],
    *,
    wait_s_max: float = WAIT_S_MAX,
    waiting: Waiting | None = None,
) -> LoadProgress:
    """Look at the load until it is settled or `wait_s_max` seconds have passed; return the last look.

    Args:
        batches: where the counts are.
        batch_id: the load.
        on_look: told what each look found, every LOOK_S seconds or so.
        wait_s_max: longest watch in seconds.
        waiting: how time passes.

    Raises:
        UnknownBatchError: there is no such load.
        StoreUnavailableError: the database was away for STORE_AWAY_S_MAX seconds.
    """
    waiting = waiting or Waiting()
    meter, end_s = ProgressMeter(), waiting.now_s() + wait_s_max
    while True:  # ends by `end_s` at the latest
        began_s = waiting.now_s()
        status, simulated = await _look(batches, batch_id, waiting)
        now_s = waiting.now_s()
        progress = meter.update(now_s, status, simulated=simulated)
        on_look(progress)
        if is_settled(status) or now_s >= end_s:
            await batches.set_finished(batch_id)
            return progress
        await waiting.sleep(min(REST_S_MAX, max(LOOK_S, REST_FACTOR * (now_s - began_s))))


async def find(batches: Batches, batch_id: str) -> BatchStatus:
    """Return the load.

    Raises:
        UnknownBatchError: there is no such load.
        StoreUnavailableError: the database is away.
    """
    status = await batches.get(batch_id)
    if status is None:
        newest = ", ".join(other.batch.batch_id for other in await batches.newest(NEWEST_SHOWN))
        raise UnknownBatchError(f"no load is named {batch_id[:200]!r}; the newest are {newest or 'none'}")
    return status


async def _look(batches: Batches, batch_id: str, waiting: Waiting) -> tuple[BatchStatus, bool]:
    end_s = waiting.now_s() + STORE_AWAY_S_MAX
    while True:  # ends by `end_s` at the latest
        try:
            status = await find(batches, batch_id)
            return status, status.calls > 0 and await batches.simulated(batch_id)
        except StoreUnavailableError:
            if waiting.now_s() >= end_s:
                raise
            await waiting.sleep(LOOK_S)
