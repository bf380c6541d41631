"""Waiting for what only polling can see."""

import asyncio
from collections.abc import Callable

POLL_S = 0.05


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds; bounded by the caller, who cancels a run in which nothing moves."""
    while not condition():  # noqa: ASYNC110 - brokers and processes set no event of ours
        await asyncio.sleep(POLL_S)
