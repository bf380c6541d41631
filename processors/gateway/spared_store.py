"""The store of cached answers as nobody has to wait for it: away or slow, it has no answer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

from processors.errors import StoreUnavailableError
from processors.gateway.cached_answers import AnswerStore, CachedAnswer, CacheKey, NoAnswers

STORE_S_MAX = 0.25
"""Seconds that a call waits for the cache; a model takes several times as long."""

TEXT_BYTES_MAX = 262_144
"""Larger answers are not kept: few are, and one would take the room of a hundred."""

Operation = Literal["find", "put", "lead", "land"]
OnFailure = Callable[[Operation], None]
T = TypeVar("T")


class SparedStore:
    """An AnswerStore that is never late and never fails.

    Args:
        store: where the answers are.
        on_failure: told of each operation that the store failed, or was too slow for.
    """

    def __init__(self, store: AnswerStore, on_failure: OnFailure) -> None:
        self._store = store
        self._on_failure = on_failure

    async def find(self, key: CacheKey) -> CachedAnswer | None:
        """Return the answer to that question, fresh or not; None also when the store is away or slow."""
        return await self._spared("find", self._store.find(key))

    async def put(self, key: CacheKey, answer: CachedAnswer) -> None:
        """Keep the answer, unless it is larger than TEXT_BYTES_MAX or the store is away or slow."""
        if len(answer.text.encode(errors="replace")) <= TEXT_BYTES_MAX:
            await self._spared("put", self._store.put(key, answer))

    async def lead(self, flight: str) -> bool | None:
        """Return whether this worker leads the flight; None when the store is away or slow."""
        return await self._spared("lead", self._store.lead(flight))

    async def land(self, flight: str) -> None:
        """Let other workers lead the flight, unless the store is away or slow."""
        await self._spared("land", self._store.land(flight))

    async def _spared(self, operation: Operation, work: Coroutine[Any, Any, T]) -> T | None:
        # A task of its own: a driver that is cancelled may wait for its server before it lets go.
        task = asyncio.create_task(work)
        task.add_done_callback(_heard)
        try:
            done, _ = await asyncio.wait({task}, timeout=STORE_S_MAX)
            if done:
                return task.result()
        except StoreUnavailableError:
            pass
        finally:
            task.cancel()
        self._on_failure(operation)
        return None


def _heard(task: asyncio.Task[T]) -> None:
    """Take notice of how it ended, also where nobody waits any more."""
    if not task.cancelled():
        task.exception()


def _untold(_operation: Operation) -> None:
    """Nothing that is kept nowhere fails."""


NOTHING_KEPT = SparedStore(NoAnswers(), _untold)
"""Where there is no answer cache."""
