"""Turns: one at a time, and none is lost."""

import asyncio
import contextlib

import pytest

from processors.errors import AbandonedError, ProcessingError
from processors.gateway.turns import Turns
from schemas.base import Lane


def _wanted() -> ProcessingError | None:
    return None


async def take(turns: Turns, log: list[str], name: str) -> None:
    async with turns.turn(Lane.BULK, "acme", _wanted):
        log.append(name)
        await asyncio.sleep(0)
        log.append(name)


async def test_one_has_its_turn_at_a_time() -> None:
    turns, log = Turns(), list[str]()

    await asyncio.gather(*(take(turns, log, name) for name in "abcd"))

    assert "".join(log) == "aabbccdd"


async def test_a_turn_that_comes_in_the_moment_of_a_cancellation_goes_to_the_next() -> None:
    turns, log = Turns(), list[str]()
    async with turns.turn(Lane.BULK, "acme", _wanted):
        second, third = (asyncio.ensure_future(take(turns, log, name)) for name in "bc")
        await asyncio.sleep(0)

    second.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await second
    await asyncio.wait_for(third, 1)

    assert "".join(log) == "cc"


async def test_who_is_sent_away_hears_why_and_the_others_keep_their_turns() -> None:
    turns, log = Turns(), list[str]()

    async def unwanted() -> None:
        async with turns.turn(Lane.LIVE, "acme", lambda: AbandonedError("gone")):
            log.append("x")

    async with turns.turn(Lane.BULK, "acme", _wanted):
        gone, kept = asyncio.ensure_future(unwanted()), asyncio.ensure_future(take(turns, log, "k"))
        await asyncio.sleep(0)
        turns.sweep()
        [said] = await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(kept, 1)

    assert (str(said), "".join(log)) == ("gone", "kk")


async def test_a_sweep_ends_the_turn_of_who_has_no_more_use_for_it() -> None:
    turns, log, gone = Turns(), list[str](), list[ProcessingError]()

    async def held() -> None:
        async with turns.turn(Lane.LIVE, "acme", lambda: gone[0] if gone else None):
            await asyncio.Event().wait()

    holder = asyncio.ensure_future(held())
    await asyncio.sleep(0)
    after = asyncio.ensure_future(take(turns, log, "k"))
    await asyncio.sleep(0)
    turns.sweep()
    await asyncio.sleep(0)
    assert not holder.done()
    gone.append(AbandonedError("gone"))
    turns.sweep()
    turns.sweep()
    [said] = await asyncio.wait_for(asyncio.gather(holder, return_exceptions=True), 1)
    await asyncio.wait_for(after, 1)

    assert (str(said), "".join(log)) == ("gone", "kk")


async def test_a_time_out_of_the_callers_own_stays_one() -> None:
    turns = Turns()

    with pytest.raises(TimeoutError, match="mine"):
        async with turns.turn(Lane.LIVE, "acme", _wanted):
            raise TimeoutError("mine")


async def test_a_turn_whose_holder_fails_goes_to_the_next() -> None:
    turns, log = Turns(), list[str]()

    with contextlib.suppress(ValueError):
        async with turns.turn(Lane.BULK, "acme", _wanted):
            raise ValueError
    await asyncio.wait_for(take(turns, log, "a"), 1)

    assert "".join(log) == "aa"
