"""Who writes with others hears of its own item."""

import asyncio
from collections.abc import Sequence

import pytest

from processors.errors import StoreUnavailableError
from streams.store.groups import Groups


async def test_each_gets_its_own_result_or_error() -> None:
    async def write(items: list[int]) -> Sequence[int | BaseException]:
        return [StoreUnavailableError(f"{item}") if item % 2 else item * 10 for item in items]

    groups = Groups(write)

    told = await asyncio.gather(*map(groups.put, range(4)), return_exceptions=True)

    assert [str(each) for each in told] == ["0", "1", "20", "3"]


async def test_an_error_of_the_group_is_everyones() -> None:
    async def write(_items: list[int]) -> Sequence[int]:
        raise StoreUnavailableError("away")

    groups = Groups(write)
    putting = [asyncio.create_task(groups.put(number)) for number in range(3)]

    for each in putting:
        with pytest.raises(StoreUnavailableError, match="away"):
            await each
