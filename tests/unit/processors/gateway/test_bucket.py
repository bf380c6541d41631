"""A bucket whose taker is late, or whose share changes."""

import asyncio
import contextlib

import pytest

from fakes import virtual_time
from processors.gateway.bucket import Bucket

LATE_S = 0.05


def test_a_taker_that_wakes_up_late_loses_nothing_of_the_limit() -> None:
    class LateBucket(Bucket):
        async def _pause(self, seconds: float) -> None:
            await super()._pause(seconds + LATE_S)

    async def scenario() -> int:
        bucket, loop, taken = LateBucket(600, whole=True), asyncio.get_running_loop(), 0
        bucket.set_share(1.0)
        until_s = loop.time() + 60.0
        while loop.time() < until_s:
            await bucket.take(1)
            taken += 1
        return taken

    assert 0.97 * 600 <= virtual_time.run(scenario()) <= 600


@pytest.mark.parametrize("patience_s", [0.5, 20.0])
def test_who_gives_up_leaves_to_the_next_what_others_had_used(patience_s: float) -> None:
    async def scenario() -> float:
        bucket, loop = Bucket(60_000, whole=False), asyncio.get_running_loop()
        await bucket.take(100)
        bucket.adjust(40_000)
        began_s = loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await bucket.take(100)
        await bucket.take(100)
        return loop.time() - began_s

    assert virtual_time.run(scenario()) == pytest.approx(41.0, abs=1.0)


def test_a_taker_that_waits_on_a_small_share_goes_on_at_once_on_a_larger_one() -> None:
    async def scenario() -> float:
        bucket, loop = Bucket(60, whole=True), asyncio.get_running_loop()
        bucket.set_share(1 / 60)
        taking = asyncio.create_task(bucket.take(1))
        await asyncio.sleep(1.0)
        began_s = loop.time()
        bucket.set_share(1.0)
        await taking
        return loop.time() - began_s

    assert virtual_time.run(scenario()) < 4.0


@pytest.mark.parametrize("limit", [7, 50, 600, 60_000])
def test_a_share_that_changes_all_the_time_admits_no_more_than_leaks(limit: int) -> None:
    async def scenario() -> int:
        bucket, taken = Bucket(limit, whole=True), 0

        async def take_all() -> None:
            nonlocal taken
            while True:
                await bucket.take(1)
                taken += 1

        taking = asyncio.create_task(take_all())
        for turn in range(60):
            bucket.set_share((0.25, 0.75)[turn % 2])
            await asyncio.sleep(1.0)
        taking.cancel()
        return taken

    assert virtual_time.run(scenario()) <= limit / 2
