"""Cached answers in memory."""

import asyncio

from processors.gateway.cached_answers import CachedAnswer, CacheKey


class FakeAnswerStore:
    """AnswerStore whose `answers` are by digest; sweeping is by what the test says that time it is.

    A `gate` that is not set holds every operation up; `error` is raised by every one.
    """

    def __init__(self) -> None:
        self.answers: dict[str, CachedAnswer] = {}
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.finds = 0

    async def find(self, key: CacheKey) -> CachedAnswer | None:
        self.finds += 1
        await self._reached()
        return self.answers.get(key.digest)

    async def put(self, key: CacheKey, answer: CachedAnswer) -> None:
        await self._reached()
        self.answers[key.digest] = answer

    async def _reached(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
