"""Bytes are held up to a bound, in the order of asking."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.byte_room import ByteRoom

MOST = 100


async def test_what_does_not_fit_waits_until_bytes_are_given_back() -> None:
    room = ByteRoom(MOST)
    await room.take(60)
    second = asyncio.create_task(room.take(60))
    await asyncio.sleep(0)
    waited = not second.done()

    room.give(60)
    await second

    assert (waited, room.held_bytes) == (True, 60)


async def test_what_is_larger_than_the_room_is_held_alone() -> None:
    room = ByteRoom(MOST)

    await asyncio.wait_for(room.take(MOST + 1), 1)
    other = asyncio.create_task(room.take(1))
    await asyncio.sleep(0)

    assert not other.done()
    other.cancel()


async def test_one_that_gives_up_waiting_keeps_nothing_and_lets_the_next_in() -> None:
    room = ByteRoom(MOST)
    await room.take(60)
    gone, next_ = asyncio.create_task(room.take(100)), asyncio.create_task(room.take(40))
    await asyncio.sleep(0)

    gone.cancel()
    await asyncio.wait_for(next_, 1)

    assert room.held_bytes == 100


@given(st.lists(st.integers(0, MOST), max_size=30))
def test_the_bound_holds_and_everybody_gets_a_turn(sizes: Sequence[int]) -> None:
    async def work(room: ByteRoom, size: int) -> int:
        await room.take(size)
        seen = room.held_bytes
        await asyncio.sleep(0)
        room.give(size)
        return seen

    async def all_work() -> list[int]:
        room = ByteRoom(MOST)
        return await asyncio.gather(*(work(room, size) for size in sizes))

    assert max(asyncio.run(all_work()), default=0) <= MOST
