"""Places of calls in flight."""

import asyncio

import pytest

from processors.gateway.places import Places


async def has_room(places: Places) -> bool:
    try:
        async with asyncio.timeout(0):
            await places.take()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(("share", "bound"), [(1.0, 10), (0.5, 5), (1 / 3, 3), (0.01, 1)])
async def test_a_share_is_rounded_down_but_is_one_at_least(share: float, bound: int) -> None:
    places = Places(10)
    places.set_share(share)

    for _ in range(bound):
        await places.take()

    assert not await has_room(places)


async def test_a_place_that_is_given_back_goes_to_who_waits() -> None:
    places = Places(1)
    await places.take()
    waiter = asyncio.create_task(places.take())
    await asyncio.sleep(0)

    places.give_back()

    await waiter
    assert places.taken == 1


async def test_calls_in_flight_run_on_when_the_share_shrinks_and_nobody_follows_until_they_end() -> None:
    places = Places(4)
    for _ in range(4):
        await places.take()

    places.set_share(0.5)
    places.give_back()
    places.give_back()
    assert not await has_room(places)
    places.give_back()

    assert await has_room(places)


async def test_a_share_that_grows_lets_who_waits_go_on() -> None:
    places = Places(4)
    places.set_share(0.25)
    await places.take()
    waiter = asyncio.create_task(places.take())
    await asyncio.sleep(0)

    places.set_share(0.5)

    await waiter
