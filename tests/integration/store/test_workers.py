"""Leases of workers."""

import asyncio

import pytest

from fixtures.store import a_live_worker
from streams.store.database import Database
from streams.store.workers import WorkerLease

pytestmark = pytest.mark.integration


async def is_live(database: Database, worker_id: str) -> bool:
    [row] = await database.fetch("SELECT worker_is_live($1) AS live", worker_id)
    return bool(row["live"])


async def test_a_registered_worker_is_alive_until_it_releases(database: Database) -> None:
    lease = await a_live_worker(database, "worker-a")
    assert await is_live(database, "worker-a")

    await lease.release()

    assert not await is_live(database, "worker-a")


async def test_a_worker_without_heartbeats_is_dead_when_its_lease_ends(database: Database) -> None:
    await a_live_worker(database, "worker-a", lease_s=0.05)
    await asyncio.sleep(0.1)

    assert not await is_live(database, "worker-a")


async def test_heartbeats_keep_a_worker_alive_even_if_its_row_was_lost(database: Database) -> None:
    lease = WorkerLease(database, "worker-a", ["publish"], heartbeat_s=0.02, lease_s=5.0)
    await lease.register()
    beating = asyncio.create_task(lease.run())
    await database.fetch("DELETE FROM workers")

    await asyncio.sleep(0.2)
    beating.cancel()

    assert await is_live(database, "worker-a")


async def test_workers_of_the_day_before_yesterday_are_removed(database: Database) -> None:
    await a_live_worker(database, "old")
    await database.fetch("UPDATE workers SET lease_until = now() - interval '2 days'")

    await a_live_worker(database, "new")

    assert [row["worker_id"] for row in await database.fetch("SELECT worker_id FROM workers")] == ["new"]
