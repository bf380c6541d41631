"""Group commit: while one group is being written, the next one gathers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

GROUP_MAX: Final = 200

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Pending(NamedTuple, Generic[Item, Result]):
    item: Item
    done: "asyncio.Future[Result]"


class Groups(Generic[Item, Result]):
    """One statement and one flush of the disk for all that came while the last ones were under way.

    Args:
        write: writes one group of GROUP_MAX items at most; returns for each, in their order, a result or the
            error that it alone has.
    """

    def __init__(self, write: Callable[[list[Item]], Awaitable[Sequence[Result | BaseException]]]) -> None:
        self._write = write
        self._pending: list[_Pending[Item, Result]] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Write the item with its group and return its result; raises its error, or the whole group's.

        A caller that is cancelled does not hear of it; the item is written all the same.
        """
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._pending.append(_Pending(item, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        while self._pending:  # each round takes GROUP_MAX away; ends when nobody waits
            group, self._pending = self._pending[:GROUP_MAX], self._pending[GROUP_MAX:]
            results: Sequence[Result | BaseException]
            try:
                results = await self._write([pending.item for pending in group])
            except Exception as error:  # noqa: BLE001 - whatever it is, each who waits has to hear of it
                results = [error] * len(group)
            for pending, result in zip(group, results, strict=True):
                if pending.done.done():
                    continue  # cancelled
                if isinstance(result, BaseException):
                    pending.done.set_exception(result)
                else:
                    pending.done.set_result(result)
