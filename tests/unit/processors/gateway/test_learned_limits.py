"""What a provider states about its limits is obeyed."""

import asyncio
import logging

import pytest

from fakes import virtual_time
from processors.gateway.limits import Demand, ProviderLimits
from processors.gateway.rate_headers import LimitKind, StatedLimit
from schemas.catalogue import LimitRules
from schemas.usage import Usage

SMALL = Demand(model="m", input_tokens=100, output_tokens_max=100)
HALF = Demand(model="m", input_tokens=3_000, output_tokens_max=3_000)


def stated(kind: LimitKind = LimitKind.REQUESTS, **changes: object) -> StatedLimit:
    values: dict[str, object] = {"limit": None, "remaining": None, "reset_s": None, **changes}
    return StatedLimit(kind=kind, **values)  # type: ignore[arg-type] # named by each test


async def limits_of(**rules: object) -> ProviderLimits:
    limits = ProviderLimits("p", LimitRules.model_validate(rules), wait_s_max=1e9)
    limits.set_share(1.0)
    return limits


async def admissions(limits: ProviderLimits, count: int, demand: Demand = SMALL) -> list[float]:
    """Seconds until each of so many calls had its turn."""
    loop = asyncio.get_running_loop()
    began_s, seen = loop.time(), list[float]()

    async def one() -> None:
        async with limits.admitted(demand):
            seen.append(loop.time() - began_s)

    await asyncio.gather(*(one() for _ in range(count)))
    return seen


def test_a_limit_that_is_stated_lower_counts_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[float]:
        limits = await limits_of(requests_per_minute=600)
        for _ in range(3):
            limits.learn([stated(limit=60)])
        limits.learn([stated(limit=5_000)])
        assert limits.per_minute() == {LimitKind.REQUESTS: 60}
        return await admissions(limits, 10)

    with caplog.at_level(logging.WARNING):
        seen = virtual_time.run(scenario())

    assert seen[-1] > 9.0
    assert [record.getMessage() for record in caplog.records] == [
        "p states 60 requests a minute, the catalogue has 600: 60 count until this worker ends; correct it"
    ]


def test_a_limit_that_cannot_be_true_leaves_a_hundredth() -> None:
    async def scenario() -> None:
        limits = await limits_of(requests_per_minute=600, tokens_per_minute=10)
        limits.learn([stated(limit=1), stated(LimitKind.TOKENS, limit=1)])
        assert limits.per_minute() == {LimitKind.REQUESTS: 6, LimitKind.TOKENS: 1}

    virtual_time.run(scenario())


def test_what_the_catalogue_does_not_limit_stays_without_a_limit() -> None:
    async def scenario() -> None:
        limits = await limits_of()
        limits.learn([stated(limit=1)])
        assert limits.per_minute() == {}

    virtual_time.run(scenario())


def test_when_nothing_remains_calls_wait_until_some_of_the_limit_is_back() -> None:
    async def scenario() -> list[float]:
        limits = await limits_of()
        limits.learn([stated(remaining=0, reset_s=60.0)])
        return await admissions(limits, 1)

    assert virtual_time.run(scenario()) == pytest.approx([3.0])


def test_while_something_remains_nobody_waits() -> None:
    async def scenario() -> list[float]:
        limits = await limits_of()
        limits.learn([stated(remaining=1, reset_s=60.0), stated(remaining=0)])
        return await admissions(limits, 1)

    assert virtual_time.run(scenario()) == pytest.approx([0.0], abs=1e-3)


@pytest.mark.parametrize("kind", ["input_tokens_per_minute", "output_tokens_per_minute", "tokens_per_minute"])
def test_each_kind_of_tokens_has_a_limit_of_its_own(kind: str) -> None:
    async def scenario() -> list[float]:
        return await admissions(await limits_of(**{kind: 60_000}), 11, HALF)

    at_least_s = 55.0 if kind == "tokens_per_minute" else 30.0

    assert at_least_s < virtual_time.run(scenario())[-1] < 2.3 * at_least_s


def test_input_from_the_providers_cache_does_not_count_where_input_is_limited_apart() -> None:
    async def scenario(usage: Usage) -> float:
        limits = await limits_of(input_tokens_per_minute=60_000, tokens_counted="used")
        loop, demand = asyncio.get_running_loop(), Demand(model="m", input_tokens=1, output_tokens_max=1)
        began_s = loop.time()
        for _ in range(20):
            async with limits.admitted(demand) as reserved:
                limits.settle(demand, reserved, usage)
        return loop.time() - began_s

    fresh_s = virtual_time.run(scenario(Usage(input_fresh=3_000, output=1)))
    cached_s = virtual_time.run(scenario(Usage(input_cache_read=3_000, output=1)))

    assert fresh_s > 50.0
    assert cached_s < 5.0
