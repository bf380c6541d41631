"""The table of what is lent: the same claims hold for the fake, for PostgreSQL and for Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from fakes.lease_table import FakeLeaseRows, FakeLeaseTable
from fixtures.redis_server import RedisServer, write_rows
from processors.gateway.lending import LEASE_S, LeaseTable, Wish
from streams.store.database import Database
from streams.store.limit_leases import PostgresLeaseTable
from streams.store.limit_leases_redis import RedisLeaseTable
from streams.store.redis_client import redis_client

Tables = Callable[[str], LeaseTable]

WORKERS = 12


def fake_tables() -> Tables:
    rows = FakeLeaseRows()
    return lambda worker_id: FakeLeaseTable(rows, worker_id)


def postgres_tables(request: pytest.FixtureRequest) -> Tables:
    database: Database = request.getfixturevalue("database")
    return lambda worker_id: PostgresLeaseTable(database, worker_id)


@pytest.fixture
async def redis_tables(redis: Redis, redis_server: RedisServer) -> AsyncIterator[Tables]:
    """Each worker with a connection of its own."""
    for provider in ("p", "q"):
        await write_rows(redis, provider)
    async with AsyncExitStack() as opened:

        def table(worker_id: str) -> LeaseTable:
            client = redis_client(redis_server.url)
            opened.push_async_callback(client.aclose)
            return RedisLeaseTable(client, worker_id)

        yield table


@pytest.fixture(
    params=[
        "fake",
        pytest.param("postgres", marks=pytest.mark.integration),
        pytest.param("redis", marks=pytest.mark.integration),
    ]
)
def tables(request: pytest.FixtureRequest) -> Tables:
    if request.param == "redis":
        opened: Tables = request.getfixturevalue("redis_tables")
        return opened
    return fake_tables() if request.param == "fake" else postgres_tables(request)


def offers(share: float) -> Wish:
    return Wish(offered=share, borrowed=0.0, hungry=False)


def wants(*, has: float = 0.0) -> Wish:
    return Wish(offered=0.0, borrowed=has, hungry=True)


async def test_what_one_offers_another_may_borrow(tables: Tables) -> None:
    await tables("idle").exchange("p", offers(0.4))

    answer = await tables("busy").exchange("p", wants())

    assert answer.borrowed == pytest.approx(0.4)
    assert 0 < answer.lasts_s <= LEASE_S


async def test_providers_have_nothing_to_do_with_each_other(tables: Tables) -> None:
    await tables("idle").exchange("p", offers(0.4))

    assert (await tables("busy").exchange("q", wants())).borrowed == 0.0


async def test_a_worker_does_not_borrow_from_itself(tables: Tables) -> None:
    await tables("idle").exchange("p", offers(0.4))

    assert (await tables("idle").exchange("p", wants())).borrowed == 0.0


async def test_a_lender_sees_what_is_missing_until_it_is_given_back(tables: Tables) -> None:
    lender, borrower = tables("idle"), tables("busy")
    await lender.exchange("p", offers(0.4))
    await borrower.exchange("p", wants())

    assert (await lender.exchange("p", wants())).missing == pytest.approx(0.4)
    withdrawn = await borrower.exchange("p", wants(has=0.4))
    assert withdrawn.borrowed == 0.0
    assert (await lender.exchange("p", wants())).missing == pytest.approx(0.4)
    await borrower.exchange("p", wants(has=0.0))

    assert (await lender.exchange("p", wants())).missing == 0.0


async def test_workers_that_ask_at_once_never_get_more_than_is_offered(tables: Tables) -> None:
    await tables("idle").exchange("p", offers(0.4))

    answers = await asyncio.gather(*(tables(f"busy-{n}").exchange("p", wants()) for n in range(WORKERS)))

    assert sum(answer.borrowed for answer in answers) <= 0.4 + 1e-9
    assert max(answer.borrowed for answer in answers) > 0
