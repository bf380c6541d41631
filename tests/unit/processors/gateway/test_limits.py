import asyncio
import contextlib
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import virtual_time
from processors.errors import AbandonedError, LimitWaitError
from processors.gateway.limits import Demand, ProviderLimits
from schemas.catalogue import LimitRules
from schemas.usage import Usage

WINDOW_S = 60.0
HOUR_S = 3_600.0
SMALL = Demand(model="m", input_tokens=100, output_tokens_max=100)

Admissions = list[tuple[float, int]]


def rules(**changes: object) -> LimitRules:
    return LimitRules.model_validate({"concurrency": 10_000, **changes})


async def drive(limits: ProviderLimits, demands: list[Demand], log: Admissions) -> None:
    """A backlog: all at once, each leaves when it is admitted."""

    async def one(demand: Demand) -> None:
        async with limits.admitted(demand) as reserved:
            log.append((asyncio.get_running_loop().time(), reserved.input_tokens + reserved.output_tokens))

    await asyncio.gather(*(one(demand) for demand in demands))


def busiest_window(log: Admissions) -> int:
    """Most units in any window of 60 s, its first instant in it and its last not."""
    log = sorted(log)
    most = inside = first = 0
    for at_s, units in log:
        inside += units
        while log[first][0] <= at_s - WINDOW_S:
            inside -= log[first][1]
            first += 1
        most = max(most, inside)
    return most


def used(log: Admissions, limit: int) -> float:
    """Part of the limit used between the first and the last admission."""
    log = sorted(log)
    spent_s = log[-1][0] - log[0][0]
    return float(sum(units for _, units in log[1:])) * WINDOW_S / spent_s / limit


@settings(max_examples=25, deadline=None)
@given(limit=st.integers(1, 3_000), workers=st.integers(1, 4))
def test_no_window_sees_more_requests_than_the_limit_and_the_limit_is_used(limit: int, workers: int) -> None:
    log: Admissions = []

    async def scenario() -> None:
        shares = [
            ProviderLimits("p", rules(requests_per_minute=limit), wait_s_max=1e9) for _ in range(workers)
        ]
        for each in shares:
            each.set_share(1 / workers)
        await asyncio.gather(*(drive(each, [SMALL] * max(4, 3 * limit // workers), log) for each in shares))

    virtual_time.run(scenario())

    requests = [(at_s, 1) for at_s, _ in log]
    if limit >= workers:
        assert busiest_window(requests) <= limit
    if limit % workers == 0 and limit >= 20 * workers:
        assert used(requests, limit) >= 0.97


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1_000), workers=st.integers(1, 3))
def test_no_window_sees_more_tokens_than_the_limit_and_the_limit_is_used(seed: int, workers: int) -> None:
    limit, log = 500_000, list[tuple[float, int]]()
    drawn = random.Random(seed)

    async def scenario() -> None:
        for_each = [
            ProviderLimits("p", rules(tokens_per_minute=limit), wait_s_max=1e9) for _ in range(workers)
        ]
        backlogs = [
            [
                Demand(model="m", input_tokens=drawn.randint(50, 900), output_tokens_max=1_000)
                for _ in range(700)
            ]
            for _ in range(workers)
        ]
        for each in for_each:
            each.set_share(1 / workers)
        await asyncio.gather(*(drive(*pair, log) for pair in zip(for_each, backlogs, strict=True)))

    virtual_time.run(scenario())

    assert busiest_window(log) <= limit
    assert used(log, limit) >= 0.95


def test_a_call_larger_than_the_burst_is_paid_for_in_parts() -> None:
    log: Admissions = []

    async def scenario() -> None:
        limits = ProviderLimits("p", rules(tokens_per_minute=60_000), wait_s_max=1e9)
        limits.set_share(1.0)
        big = Demand(model="m", input_tokens=4_000, output_tokens_max=4_000)
        await drive(limits, [big] * 40, log)

    virtual_time.run(scenario())

    assert busiest_window(log) <= 60_000


def test_moving_the_share_between_workers_never_overshoots() -> None:
    log: Admissions = []

    async def scenario() -> None:
        first, second = (
            ProviderLimits("p", rules(requests_per_minute=600), wait_s_max=1e9) for _ in range(2)
        )
        first.set_share(1.0)
        driving = [asyncio.ensure_future(drive(each, [SMALL] * 1_500, log)) for each in (first, second)]
        for turn in range(20):
            await asyncio.sleep(7.3)
            part = (0.0, 0.25, 0.5, 1.0)[turn % 4]
            first.set_share(part)
            second.set_share(1 - part)
        first.set_share(0.5)
        second.set_share(0.5)
        await asyncio.gather(*driving)

    virtual_time.run(scenario())

    assert busiest_window([(at_s, 1) for at_s, _ in log]) <= 600


def test_a_fresh_lease_starts_empty() -> None:
    log: Admissions = []

    async def scenario() -> None:
        limits = ProviderLimits("p", rules(requests_per_minute=60), wait_s_max=1e9)
        await asyncio.sleep(HOUR_S)
        limits.set_share(1.0)
        began_s = asyncio.get_running_loop().time()
        await drive(limits, [SMALL] * 2, log)
        log[:] = [(at_s - began_s, units) for at_s, units in log]

    virtual_time.run(scenario())

    assert log[0][0] >= 1.0


def test_waiters_take_turns_in_order() -> None:
    async def scenario() -> list[int]:
        limits, order = ProviderLimits("p", rules(requests_per_minute=60), wait_s_max=1e9), list[int]()
        limits.set_share(1.0)

        async def one(number: int) -> None:
            async with limits.admitted(SMALL):
                order.append(number)

        await asyncio.gather(*map(one, range(50)))
        return order

    assert virtual_time.run(scenario()) == list(range(50))


def test_a_pause_holds_every_call_until_it_is_over() -> None:
    log: Admissions = []

    async def scenario() -> float:
        limits = ProviderLimits("p", rules(requests_per_minute=600), wait_s_max=1e9)
        limits.set_share(1.0)
        limits.pause(30.0)
        limits.pause(5.0)
        began_s = asyncio.get_running_loop().time()
        await drive(limits, [SMALL] * 5, log)
        return began_s

    began_s = virtual_time.run(scenario())

    assert began_s + 30.0 <= min(at_s for at_s, _ in log) < began_s + 30.2


def test_a_pause_saves_no_turns_up() -> None:
    log: Admissions = []

    async def scenario() -> None:
        limits = ProviderLimits("p", rules(requests_per_minute=30), wait_s_max=1e9)
        limits.set_share(1.0)
        running = asyncio.ensure_future(drive(limits, [SMALL] * 60, log))
        await asyncio.sleep(10.0)
        limits.pause(20.0)
        await running

    virtual_time.run(scenario())

    assert busiest_window([(at_s, 1) for at_s, _ in log]) <= 30


def test_without_a_share_nobody_calls_and_the_wait_is_bounded() -> None:
    async def scenario() -> None:
        limits = ProviderLimits("p", rules(), wait_s_max=10.0)
        async with limits.admitted(SMALL):
            pass

    with pytest.raises(LimitWaitError, match="no turn at p in 10 s"):
        virtual_time.run(scenario())


def test_calls_in_flight_are_bounded() -> None:
    async def scenario() -> int:
        limits, inside, most = ProviderLimits("p", rules(concurrency=3), wait_s_max=1e9), 0, 0
        limits.set_share(1.0)

        async def one() -> None:
            nonlocal inside, most
            async with limits.admitted(SMALL):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(1)
                inside -= 1

        await asyncio.gather(*(one() for _ in range(20)))
        return most

    assert virtual_time.run(scenario()) == 3


def test_used_tokens_are_settled_against_what_was_reserved() -> None:
    log: Admissions = []

    async def scenario() -> None:
        limits = ProviderLimits("p", rules(tokens_per_minute=60_000, tokens_counted="used"), wait_s_max=1e9)
        limits.set_share(1.0)
        demand = Demand(model="m", input_tokens=100, output_tokens_max=1_000)
        for turn in range(600):
            async with limits.admitted(demand) as reserved:
                output = 200 + 100 * (turn % 3)
                log.append((asyncio.get_running_loop().time(), 100 + output))
                limits.settle(demand, reserved, Usage(input_fresh=100, output=output))

    virtual_time.run(scenario())

    assert busiest_window(log) <= 60_000
    assert used(log, 60_000) >= 0.80


def test_a_cancelled_waiter_gives_its_place_back() -> None:
    async def scenario() -> int:
        limits = ProviderLimits("p", rules(concurrency=1), wait_s_max=1e9)
        waiter = asyncio.ensure_future(drive(limits, [SMALL], []))
        await asyncio.sleep(1)
        assert limits.waiting() == 1
        waiter.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiter
        limits.set_share(1.0)
        await drive(limits, [SMALL], [])
        return limits.waiting()

    assert virtual_time.run(scenario()) == 0


def test_admissions_are_even() -> None:
    log: Admissions = []

    async def scenario() -> None:
        limits = ProviderLimits("p", rules(requests_per_minute=60), wait_s_max=1e9)
        limits.set_share(1.0)
        await drive(limits, [SMALL] * 100, log)

    virtual_time.run(scenario())

    assert min(later - earlier for (earlier, _), (later, _) in pairwise(log)) > 1.0


def test_a_call_whose_record_went_elsewhere_leaves_the_queue_without_taking_a_turn() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        limits = ProviderLimits("p", rules(requests_per_minute=6), wait_s_max=1e9)
        limits.set_share(1.0)
        gone = replace(SMALL, abandoned=lambda: True)

        async def abandoned() -> None:
            with pytest.raises(AbandonedError):
                async with limits.admitted(gone):
                    pass

        async def wanted() -> None:
            async with limits.admitted(SMALL):
                pass

        began_s = loop.time()
        await asyncio.gather(*(abandoned() for _ in range(100)), wanted())
        return loop.time() - began_s

    assert virtual_time.run(scenario()) < 60.0
