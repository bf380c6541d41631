import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import virtual_time
from fakes.windows import WINDOW_S, Admissions, busiest_window
from processors.errors import AbandonedError, LimitWaitError
from processors.gateway.limits import Demand, ProviderLimits
from schemas.base import Lane
from schemas.catalogue import LimitRules
from schemas.usage import Usage

HOUR_S = 3_600.0
SMALL = Demand(model="m", input_tokens=100, output_tokens_max=100)
LIVE, BULK = (replace(SMALL, lane=lane, tenant="acme") for lane in Lane)


def rules(**changes: object) -> LimitRules:
    return LimitRules.model_validate({"concurrency": 10_000, **changes})


async def drive(limits: ProviderLimits, demands: list[Demand], log: Admissions) -> None:
    """A backlog: all at once, each leaves when it is admitted."""

    async def one(demand: Demand) -> None:
        async with limits.admitted(demand) as reserved:
            log.append((asyncio.get_running_loop().time(), reserved.input_tokens + reserved.output_tokens))

    await asyncio.gather(*(one(demand) for demand in demands))


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


async def admit(limits: ProviderLimits, demand: Demand, order: list[str]) -> None:
    async with limits.admitted(demand):
        order.append(f"{demand.lane} {demand.tenant}")


def one_a_second() -> ProviderLimits:
    limits = ProviderLimits("p", rules(requests_per_minute=60), wait_s_max=1e9)
    limits.set_share(1.0)
    return limits


def test_a_live_call_goes_before_the_bulk_calls_that_came_first() -> None:
    async def scenario() -> list[str]:
        limits, order = one_a_second(), list[str]()
        bulk = [asyncio.ensure_future(admit(limits, BULK, order)) for _ in range(300)]
        await asyncio.sleep(10)
        before = len(order)
        await admit(limits, LIVE, order)
        for call in bulk:
            call.cancel()
        return order[before:]

    assert virtual_time.run(scenario()) == ["bulk acme", "live acme"]  # one had its turn already


def test_bulk_calls_go_on_beside_live_calls_without_end() -> None:
    async def scenario() -> list[str]:
        limits, order = one_a_second(), list[str]()
        await asyncio.gather(*(admit(limits, demand, order) for demand in [LIVE, BULK] * 200))
        return order[:100]

    assert Counter(virtual_time.run(scenario())) == {"live acme": 90, "bulk acme": 10}


def test_a_flood_of_one_tenants_calls_leaves_the_others_their_turns() -> None:
    async def scenario() -> list[str]:
        limits, order = one_a_second(), list[str]()
        flood = [replace(BULK, tenant="flood")] * 500
        others = [replace(BULK, tenant=tenant) for tenant in ["b", "c"] * 10]
        await asyncio.gather(*(admit(limits, demand, order) for demand in (*flood, *others)))
        return order[:31]

    assert Counter(virtual_time.run(scenario())) == {"bulk flood": 11, "bulk b": 10, "bulk c": 10}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Lane), st.sampled_from("abc"), st.floats(0, 20)), max_size=40))
def test_whoever_gives_up_takes_no_turn_with_it(calls: list[tuple[Lane, str, float]]) -> None:
    """Calls that are cancelled at any moment, also in that of their turn, leave the others every turn."""

    async def one(limits: ProviderLimits, lane: Lane, tenant: str, patience_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await admit(limits, replace(SMALL, lane=lane, tenant=tenant), [])

    async def scenario() -> tuple[int, int]:
        limits, order = one_a_second(), list[str]()
        await asyncio.gather(*(one(limits, *call) for call in calls))
        async with asyncio.timeout(30):
            await asyncio.gather(*(admit(limits, demand, order) for demand in [LIVE, BULK] * 5))
        return len(order), limits.waiting()

    assert virtual_time.run(scenario()) == (10, 0)


def test_calls_whose_records_a_rebalance_took_leave_the_queue_at_once() -> None:
    async def scenario() -> int:
        limits, lost = one_a_second(), list[AbandonedError]()
        gone = replace(BULK, unwanted=lambda: lost[0] if lost else None)
        calls = [asyncio.ensure_future(admit(limits, demand, [])) for demand in [gone] * 100 + [BULK] * 9]
        await asyncio.sleep(0.5)
        lost.append(AbandonedError("gone"))
        limits.set_share(0.5)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = limits.waiting()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return waiting

    assert virtual_time.run(scenario()) == 9


@pytest.mark.parametrize(("paused_s", "left_s"), [(0.0, None), (5.0, None), (300.0, 290.0)])
def test_a_call_without_a_turn_knows_how_long_the_providers_pause_still_is(
    paused_s: float, left_s: float | None
) -> None:
    async def scenario() -> float | None:
        limits = ProviderLimits("p", rules(requests_per_minute=1), wait_s_max=10.0)
        limits.set_share(1.0)
        if paused_s:
            limits.pause(paused_s)
        with pytest.raises(LimitWaitError) as raised:
            await admit(limits, BULK, [])
        return raised.value.retry_after_s

    assert virtual_time.run(scenario()) == (left_s and pytest.approx(left_s, abs=0.1))


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
        gone = replace(SMALL, unwanted=lambda: AbandonedError("gone"))

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
