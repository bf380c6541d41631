"""The end of a stop: calls in flight may end within a bound, and what is late is cancelled."""

import asyncio
import logging
from collections.abc import Collection, Iterable

CANCEL_S_MAX = 5.0

log = logging.getLogger(__name__)


async def drain(
    group: str, in_flight: Iterable[asyncio.Task[None]], drain_s: float
) -> Collection[asyncio.Task[None]]:
    """Let tasks end for `drain_s` seconds; return those that did not."""
    tasks = set(in_flight)
    if not tasks:
        return tasks
    log.info("%s: draining %d records in flight for %g s", group, len(tasks), drain_s)
    _, late = await asyncio.wait(tasks, timeout=drain_s)
    return late


async def cancel(group: str, late: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end, CANCEL_S_MAX seconds at most."""
    if not late:
        return
    log.warning("%s: cancelling %d records unfinished after the drain", group, len(late))
    for task in late:
        task.cancel()
    await asyncio.wait(late, timeout=CANCEL_S_MAX)
