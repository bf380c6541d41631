"""Waiting for what only polling can see."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from streams.embedded.errors import EmbeddedError

POLL_S = 0.05
READY_S_MAX = 60.0


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds; bounded by the caller, who cancels a run in which nothing moves."""
    while not condition():  # noqa: ASYNC110 - brokers and processes set no event of ours
        await asyncio.sleep(POLL_S)


async def answers(url: str) -> None:
    """Wait until `url` answers well.

    Raises:
        EmbeddedError: it did not within READY_S_MAX.
    """
    deadline_s = time.monotonic() + READY_S_MAX
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline_s:
            with suppress(httpx.HTTPError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(POLL_S)
    raise EmbeddedError(f"{url} did not answer within {READY_S_MAX:.0f} s; the logs say why")
