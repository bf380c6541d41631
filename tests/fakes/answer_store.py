"""Cached answers in memory."""

import asyncio

from processors.gateway.cached_answers import CachedAnswer, CacheKey


class FakeAnswerStore:
    """AnswerStore whose `answers` are by digest; workers whose lease is over are in `ended`.

    Those of other workers share them with the one that they are `beside`. A `gate` that is not set holds
    every operation up; `error` is raised by every one.
    """

    def __init__(self, worker_id: str = "worker-1", beside: "FakeAnswerStore | None" = None) -> None:
        self.worker_id = worker_id
        self.answers: dict[str, CachedAnswer] = {} if beside is None else beside.answers
        self.leaders: dict[str, str] = {} if beside is None else beside.leaders
        self.ended: set[str] = set() if beside is None else beside.ended
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

    async def lead(self, flight: str) -> bool:
        await self._reached()
        leader = self.leaders.get(flight, self.worker_id)
        if leader not in {self.worker_id, *self.ended}:
            return False
        self.leaders[flight] = self.worker_id
        return True

    async def land(self, flight: str) -> None:
        await self._reached()
        if self.leaders.get(flight) == self.worker_id:
            del self.leaders[flight]

    async def _reached(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
