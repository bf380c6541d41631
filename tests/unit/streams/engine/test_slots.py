"""Slots bound what is worked on at once."""

import asyncio

from streams.engine.slots import Slot, Slots


async def test_a_free_slot_is_told_of_once_nobody_here_waits_for_it() -> None:
    told: list[int] = []
    slots = Slots(1, lambda: told.append(slots.taken))
    held = slots.take()
    waiting = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)

    held.release()
    await waiting
    assert (slots.free, told) == (False, [])

    slots.release()
    assert (slots.free, told) == (True, [0])


async def test_a_slot_released_twice_is_given_back_once() -> None:
    slots = Slots(1)
    slot = slots.take()

    slot.release()
    slot.release()

    assert slots.taken == 0


async def test_a_slot_acquired_twice_is_taken_once() -> None:
    slots = Slots(2)
    slot = Slot(slots)

    await slot.acquire()
    await slot.acquire()

    assert slots.taken == 1


async def test_waiters_are_served_in_order() -> None:
    slots = Slots(1)
    held = slots.take()
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
    held = slots.take()
    gone = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)

    held.release()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    assert slots.taken == 0
