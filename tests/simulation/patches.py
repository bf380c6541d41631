"""The few names of the product that are bound to the real clock, the real chance and the real broker."""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from mode import Service

from streams import redelivery
from streams.engine import consumer, group, producer, window

from .loop import SimulationLoop
from .patching import patched
from .world import World

POLL_S = 5.0
"""Polls of nothing last longer than in earnest: they are most of what an idle worker costs here."""


async def _sleep(self: Service, seconds: float) -> None:
    """`Service.sleep` without a task of its own for each: they were a third of all turns."""
    if self._stopped.is_set():
        return
    loop, waiters = asyncio.get_running_loop(), self._stopped._waiters
    woken = loop.create_future()
    timer = loop.call_later(seconds, _wake, woken)
    waiters.append(woken)
    try:
        await woken
    finally:
        timer.cancel()
        waiters.remove(woken)


def _wake(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(True)


PACKAGES = ("streams.", "processors.", "fakes.")


@contextlib.contextmanager
def simulated(world: World, loop: SimulationLoop) -> Iterator[None]:
    """Run with the world's clock, chance and brokers."""

    class WallClock(datetime):
        """`datetime.now` of the simulation; what it returns is a plain one, which is faster."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(world.wall_s(), tz or UTC)

    chance = random.getstate()
    random.seed(world.scenario.seed)
    with contextlib.ExitStack() as stack:
        for owner, name, value in (
            (Service, "sleep", _sleep),
            (time, "monotonic", loop.time),
            (time, "time", world.wall_s),
            (group, "BoundedConsumer", world.consumer),
            (redelivery, "BoundedConsumer", world.consumer),
            (group, "POLL_RECORDS_MAX", world.scenario.poll_records_max),
            (consumer, "POLL_S", POLL_S),
            (redelivery, "POLL_S", POLL_S),
            (producer, "AIOKafkaProducer", world.producer),
            (window, "WINDOW_OFFSETS_MAX", world.scenario.window_max),
            *((module, "datetime", WallClock) for module in _modules_with_datetime()),
        ):
            stack.enter_context(patched(owner, name, value))
        stack.callback(random.setstate, chance)
        yield


def _modules_with_datetime() -> list[Any]:
    modules = [module for name, module in sys.modules.items() if name.startswith(PACKAGES)]
    return [module for module in modules if vars(module).get("datetime") is datetime]
