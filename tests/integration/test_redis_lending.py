"""Lenders on real Redis, which is killed or emptied."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis

from fixtures.broker import until
from fixtures.redis_server import RedisServer, write_rows
from processors.errors import StoreUnavailableError
from processors.gateway import lender, lending
from processors.gateway.lender import Lender
from processors.gateway.limits import ProviderLimits
from schemas.catalogue import LimitRules
from streams import limit_lending
from streams.store import limit_leases_redis
from streams.store.limit_leases_redis import RedisLeaseTable
from streams.store.redis_client import redis_client

pytestmark = pytest.mark.integration

SHARE = 0.5
LENT = SHARE * (1 - lending.FLOOR_PART)
ROUNDING = 1e-9


class Work(ProviderLimits):
    """The limits of one worker: its calls wait, or it has been idle for long."""

    def __init__(self, workers: list["Work"], *, busy: bool) -> None:
        super().__init__("p", LimitRules(requests_per_minute=600))
        self.busy = busy
        self._workers = workers
        workers.append(self)

    def waiting(self) -> int:
        return int(self.busy)

    def unused_s(self) -> float:
        return 0.0 if self.busy else lending.UNUSED_S

    def set_share(self, share: float) -> None:
        super().set_share(share)
        assert sum(worker.share for worker in self._workers) <= 1 + ROUNDING


def a_lender(client: Redis, work: Work, name: str) -> Lender:
    opened = Lender("p", work, RedisLeaseTable(client, name))
    opened.set_share(SHARE)
    return opened


@asynccontextmanager
async def kept(server: RedisServer, work: Work, name: str) -> AsyncIterator[None]:
    async with redis_client(server.url) as client:
        ticking = asyncio.create_task(limit_lending.keep_lending([a_lender(client, work, name)]))
        yield
        assert not ticking.done()
        ticking.cancel()


@pytest.fixture(autouse=True)
def _five_times_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither has there been a rebalance just now."""
    for module, name, value in (
        (lending, "LEASE_S", 1.0),
        (lender, "LEASE_S", 1.0),
        (lender, "SETTLE_S", 0.0),
        (limit_leases_redis, "SETTLE_S", 2.0),
        (limit_lending, "TICK_S", 0.2),
    ):
        monkeypatch.setattr(module, name, value)


async def test_two_workers_lend_keep_to_their_own_while_redis_is_dead_and_lend_again(
    own_redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    workers: list[Work] = []
    first, second = Work(workers, busy=False), Work(workers, busy=True)
    async with redis_client(own_redis_server.url) as client:
        await write_rows(client, "p")
    async with kept(own_redis_server, first, "first"), kept(own_redis_server, second, "second"):
        await until(lambda: second.share == pytest.approx(SHARE + LENT))
        first.busy = True
        own_redis_server.kill()

        await until(lambda: (first.share, second.share) == (SHARE, SHARE))
        assert [r.levelno for r in caplog.records] == [logging.WARNING] * 2
        assert {"Redis answered with ConnectionError" in r.message for r in caplog.records} == {True}
        second.busy = False
        await asyncio.to_thread(own_redis_server.start)
        await until(lambda: first.share == pytest.approx(SHARE + LENT))


async def test_who_lent_uses_nothing_of_it_when_redis_forgets_who_borrowed(redis: Redis) -> None:
    workers: list[Work] = []
    first, second = Work(workers, busy=False), Work(workers, busy=True)
    lends, borrows = a_lender(redis, first, "first"), a_lender(redis, second, "second")
    await write_rows(redis, "p")
    await lends.tick()
    await borrows.tick()

    await redis.flushall()
    first.busy = True
    with pytest.raises(StoreUnavailableError, match="is new"):
        await lends.tick()

    assert (first.share, second.share) == pytest.approx((SHARE - LENT, SHARE + LENT))
    await until(lambda: second.share == SHARE)

    async def has_taken_back() -> bool:
        with suppress(StoreUnavailableError):
            await lends.tick()
        return first.share == SHARE

    await until(has_taken_back)
