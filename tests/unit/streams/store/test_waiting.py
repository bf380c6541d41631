"""Bounded waiting."""

import asyncio

import pytest

from streams.store.waiting import POLL_S_MAX, Polls


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seen: list[float] = []

    async def sleep(delay_s: float) -> None:
        seen.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seen


async def turns(wait_s_max: float) -> int:
    return len([None async for _ in Polls(wait_s_max)])


async def test_the_first_turn_comes_at_once_even_without_time_to_wait(pauses: list[float]) -> None:
    assert await turns(0.0) == 1
    assert pauses == []


async def test_the_pauses_grow_to_a_bound_and_add_up_to_the_wait(pauses: list[float]) -> None:
    assert await turns(60.0) == len(pauses) + 1

    assert sum(pauses) == pytest.approx(60.0)
    assert pauses[0] <= 0.1
    assert max(pauses) <= POLL_S_MAX
    assert len(pauses) < 80
