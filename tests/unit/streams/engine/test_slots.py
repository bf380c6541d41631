"""Slots bound what is worked on at once."""

import asyncio

from streams.engine.slots import Slot, Slots


async def test_no_more_slots_are_reserved_than_there_are() -> None:
    slots = Slots(3)

    reserved = await slots.reserve(10)

    assert len(reserved) == slots.taken == 3


async def test_a_reservation_waits_for_the_first_slot_only() -> None:
    slots = Slots(2)
    first, _second = await slots.reserve(2)
    waiting = asyncio.create_task(slots.reserve(2))
    await asyncio.sleep(0)
    was_done = waiting.done()

    first.release()

    assert (was_done, len(await waiting)) == (False, 1)


async def test_a_slot_released_twice_is_given_back_once() -> None:
    slots = Slots(1)
    [slot] = await slots.reserve(1)

    slot.release()
    slot.release()

    assert (slots.taken, len(await slots.reserve(5))) == (0, 1)


async def test_a_slot_acquired_twice_is_taken_once() -> None:
    slots = Slots(2)
    slot = Slot(slots)

    await slot.acquire()
    await slot.acquire()

    assert slots.taken == 1


async def test_waiters_are_served_in_order() -> None:
    slots = Slots(1)
    [held] = await slots.reserve(1)
    served: list[int] = []

    async def wait(number: int) -> None:
        slot = Slot(slots)
        await slot.acquire()
        served.append(number)
        slot.release()

    waiters = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    held.release()

    await asyncio.gather(*waiters)
    assert served == [0, 1, 2, 3, 4]


async def test_a_turn_that_comes_with_a_cancellation_is_passed_on() -> None:
    slots = Slots(1)
    [held] = await slots.reserve(1)
    gone = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)

    held.release()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    assert slots.taken == 0
