"""Entries of what is lent, in Redis: by its clock, and void when it may have forgotten."""

import asyncio
import os
import signal
from typing import Any

import pytest
from redis.asyncio import Redis

from fixtures.redis_server import PASSWORD, RedisServer, write_rows
from processors.errors import StoreUnavailableError
from processors.gateway.lending import LEASE_S, Wish
from streams.store import limit_leases_redis
from streams.store.limit_leases_redis import FORGET_S, KEY, TRIES_MAX, RedisLeaseTable, Rows
from streams.store.redis_client import redis_client

pytestmark = pytest.mark.integration

OFFER = Wish(offered=0.4, borrowed=0.0, hungry=False)
WANT = Wish(offered=0.0, borrowed=0.0, hungry=True)
SETTLE_S = 1.0
HUNG_S = 0.3


async def written(client: Redis) -> Rows:
    value: Any = await client.get(KEY + "p")
    return Rows.model_validate_json(value)


async def an_offer_that_ends_in(client: Redis, left_s: float) -> None:
    seconds, _ = await client.time()
    entry = {"offered": 0.4, "borrowed": 0.0, "hungry": False, "until_s": seconds + left_s}
    await write_rows(client, "p", entries={"crashed": entry})


async def test_an_offer_that_has_ended_is_not_lent_and_is_removed(redis: Redis) -> None:
    await an_offer_that_ends_in(redis, -0.001)

    answer = await RedisLeaseTable(redis, "busy").exchange("p", WANT)

    assert (answer.borrowed, answer.lasts_s) == (0.0, LEASE_S)
    assert (await written(redis)).entries.keys() == {"busy"}


async def test_a_loan_ends_with_the_offer_that_it_comes_from(redis: Redis) -> None:
    await an_offer_that_ends_in(redis, 3.0)

    answer = await RedisLeaseTable(redis, "busy").exchange("p", WANT)

    assert answer.borrowed == 0.4
    assert 0 < answer.lasts_s <= 3.0


async def test_what_nobody_writes_any_more_is_forgotten(redis: Redis) -> None:
    await write_rows(redis, "p")

    await RedisLeaseTable(redis, "last").exchange("p", OFFER)

    assert LEASE_S < await redis.ttl(KEY + "p") <= FORGET_S


async def test_rows_that_were_lost_while_a_share_is_lent_are_void_until_the_loan_has_ended(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lender, borrower = RedisLeaseTable(redis, "idle"), RedisLeaseTable(redis, "busy")
    await write_rows(redis, "p")
    await lender.exchange("p", OFFER)
    assert (await borrower.exchange("p", WANT)).borrowed == 0.4
    monkeypatch.setattr(limit_leases_redis, "SETTLE_S", SETTLE_S)

    await redis.flushall()

    for table in (lender, borrower, lender):
        with pytest.raises(StoreUnavailableError, match="is new: nothing is lent for 1 s"):
            await table.exchange("p", WANT)
    assert (await written(redis)).entries == {}
    await asyncio.sleep(SETTLE_S)
    await lender.exchange("p", OFFER)
    assert (await borrower.exchange("p", WANT)).borrowed == 0.4


@pytest.mark.parametrize("value", [b"[]", b"\xff", b'{"server": "s", "born_s": 0, "entries": {}, "more": 1}'])
async def test_what_cannot_be_read_is_as_lost(redis: Redis, value: bytes) -> None:
    await redis.set(KEY + "p", value)

    with pytest.raises(StoreUnavailableError, match="is new"):
        await RedisLeaseTable(redis, "busy").exchange("p", WANT)

    assert (await written(redis)).born_s > 0


async def test_rows_that_were_begun_on_another_server_are_void(redis: Redis) -> None:
    """As after a failover to a replica, or a restart from a snapshot: the newest may be missing."""
    entry = {"offered": 0.4, "borrowed": 0.0, "hungry": False, "until_s": 1e10}
    await write_rows(redis, "p", server="another", entries={"idle": entry})

    with pytest.raises(StoreUnavailableError, match="is new"):
        await RedisLeaseTable(redis, "busy").exchange("p", WANT)

    assert (await written(redis)).entries == {}


async def test_who_is_always_overtaken_gives_up(redis: Redis) -> None:
    class Slow(RedisLeaseTable):
        reads = 0

        async def _read(self, key: str) -> tuple[bytes, float, str]:
            self.reads += 1
            found = await super()._read(key)
            await RedisLeaseTable(redis, f"quick-{self.reads}").exchange("p", OFFER)
            return found

    await write_rows(redis, "p")
    table = Slow(redis, "slow")

    with pytest.raises(StoreUnavailableError, match="others wrote"):
        await table.exchange("p", WANT)

    assert table.reads == TRIES_MAX
    assert "slow" not in (await written(redis)).entries


async def test_a_server_that_refuses_counts_as_away_and_no_secret_is_told(redis_server: RedisServer) -> None:
    async with redis_client(redis_server.url.replace(PASSWORD, "hidden")) as stranger:
        with pytest.raises(StoreUnavailableError, match="AuthenticationError") as refused:
            await RedisLeaseTable(stranger, "busy").exchange("p", WANT)

    assert "hidden" not in str(refused.value)


async def test_another_type_of_value_counts_as_away(redis: Redis) -> None:
    pushed: Any = redis.rpush(KEY + "p", "of somebody else")
    await pushed

    with pytest.raises(StoreUnavailableError, match="ResponseError"):
        await RedisLeaseTable(redis, "busy").exchange("p", WANT)


async def test_a_server_without_an_id_is_not_lent_through(redis: Redis) -> None:
    await write_rows(redis, "p")
    redis.set_response_callback("INFO", lambda *_args, **_options: {})

    with pytest.raises(StoreUnavailableError, match="tells no run_id"):
        await RedisLeaseTable(redis, "busy").exchange("p", WANT)


async def test_a_server_that_hangs_is_left_at_once_and_used_again(own_redis_server: RedisServer) -> None:
    async with redis_client(own_redis_server.url) as client:
        await write_rows(client, "p")
        table = RedisLeaseTable(client, "busy")
        await RedisLeaseTable(client, "idle").exchange("p", OFFER)
        os.kill(own_redis_server.pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HUNG_S):
                await table.exchange("p", OFFER)
        waits = asyncio.create_task(table.exchange("p", OFFER))
        await asyncio.sleep(HUNG_S)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits

        os.kill(own_redis_server.pid, signal.SIGCONT)

        assert (await table.exchange("p", WANT)).borrowed == 0.4
