"""Waiting for calls of other workers: by notices, and by the sweep where a notice is lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from builders import a_task
from fakes.journaled_answer import a_journaled_answer
from fixtures.broker import until
from fixtures.store import a_live_worker
from processors.gateway.journal import CallIntent, CallKey, Opened
from streams.store.closings import SELECT_CLOSED
from streams.store.database import Database
from streams.store.groups import GROUP_MAX
from streams.store.journal import PostgresCallJournal

pytestmark = pytest.mark.integration

NEVER_S = 3_600.0
"""A sweep that does not come within a test: only a notice can wake who waits."""

PROMPT_S = 20.0
WAITERS = 1_500
CONNECTIONS_MAX = 6
KEY = CallKey(revision="0123456789abcdef0123", step="write")
INTENT = CallIntent(
    key=KEY,
    task=a_task(),
    recipe="flight-route@0123456789ab",
    provider="simulated",
    model="small-1",
    simulated=True,
    cost_max_usd=Decimal("0.0123"),
)
ANSWER = a_journaled_answer(submission_id=INTENT.task.submission_id)

CLOSE_SILENTLY = "UPDATE model_calls SET state = 'failed', cost_usd = 0"
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = $1"
IDLE_LISTENERS = f"{LISTENERS} AND state = 'idle'"


@pytest.fixture
async def elsewhere(database: Database, empty_database_url: str) -> AsyncIterator[Database]:
    """Another process's connections to the same database, which counts how often one is lent."""
    opened = await Database.open(empty_database_url, connections_max=CONNECTIONS_MAX)
    yield opened
    await opened.close()


@pytest.fixture
async def owner(database: Database) -> PostgresCallJournal:
    await a_live_worker(database, "owner")
    return PostgresCallJournal(database, "owner")


async def a_waiter(database: Database, elsewhere: Database, sweep_s: float) -> "asyncio.Task[Any]":
    """Another worker at the same call, once it listens and has looked."""
    journal = PostgresCallJournal(elsewhere, "waiter", wait_s_max=NEVER_S, sweep_s=sweep_s)
    waiter = asyncio.create_task(journal.open(INTENT))
    await until(lambda: _listens(database), within_s=PROMPT_S)
    return waiter


async def _listens(database: Database) -> bool:
    return len(await database.fetch(IDLE_LISTENERS, SELECT_CLOSED)) > 0


async def test_an_answer_reaches_who_waits_for_it_by_a_notice(
    database: Database, elsewhere: Database, owner: PostgresCallJournal
) -> None:
    await owner.open(INTENT)
    waiter = await a_waiter(database, elsewhere, NEVER_S)

    await owner.answered(KEY, ANSWER)

    assert await asyncio.wait_for(waiter, PROMPT_S) == ANSWER


@pytest.mark.parametrize("billed", [False, True])
async def test_who_waits_hears_of_a_failure_by_a_notice_and_calls(
    database: Database, elsewhere: Database, owner: PostgresCallJournal, *, billed: bool
) -> None:
    await owner.open(INTENT)
    waiter = await a_waiter(database, elsewhere, NEVER_S)

    await owner.failed(KEY, 1, "500", billed=billed)

    assert await asyncio.wait_for(waiter, PROMPT_S) == Opened(2)


async def test_a_call_that_closes_without_a_notice_is_found_by_the_sweep(
    database: Database, elsewhere: Database, owner: PostgresCallJournal
) -> None:
    await owner.open(INTENT)
    waiter = await a_waiter(database, elsewhere, 0.05)

    await database.fetch(CLOSE_SILENTLY)

    assert await asyncio.wait_for(waiter, PROMPT_S) == Opened(2)


async def test_a_dead_owners_call_is_taken_over_when_its_lease_ends(
    database: Database, elsewhere: Database
) -> None:
    lease = await a_live_worker(database, "owner")
    await PostgresCallJournal(database, "owner").open(INTENT)
    waiter = await a_waiter(database, elsewhere, 0.05)

    await lease.release()

    assert await asyncio.wait_for(waiter, PROMPT_S) == Opened(2)
    states = await database.fetch("SELECT state FROM model_calls ORDER BY attempt")
    assert [row["state"] for row in states] == ["unknown", "open"]


async def test_a_listener_whose_connection_breaks_looks_again_and_listens_again(
    database: Database, elsewhere: Database, owner: PostgresCallJournal
) -> None:
    await owner.open(INTENT)
    waiter = await a_waiter(database, elsewhere, NEVER_S)
    [broken] = await database.fetch(LISTENERS, SELECT_CLOSED)

    await database.fetch("SELECT pg_terminate_backend($1)", broken["pid"])
    await until(lambda: _listens_anew(database, broken["pid"]), within_s=PROMPT_S)
    assert not waiter.done()
    await owner.answered(KEY, ANSWER)

    assert await asyncio.wait_for(waiter, PROMPT_S) == ANSWER


async def test_a_call_that_closes_while_nobody_listens_is_found_on_the_return(
    database: Database, elsewhere: Database, owner: PostgresCallJournal
) -> None:
    await owner.open(INTENT)
    waiter = await a_waiter(database, elsewhere, NEVER_S)
    [broken] = await database.fetch(LISTENERS, SELECT_CLOSED)

    await database.fetch("SELECT pg_terminate_backend($1)", broken["pid"])
    await database.fetch(CLOSE_SILENTLY)

    assert await asyncio.wait_for(waiter, PROMPT_S) == Opened(2)


async def _listens_anew(database: Database, broken_pid: int) -> bool:
    listeners = await database.fetch(IDLE_LISTENERS, SELECT_CLOSED)
    return {row["pid"] for row in listeners} - {broken_pid} != set()


async def test_1500_waiters_share_one_connection_and_ask_nothing_while_they_wait(
    database: Database, elsewhere: Database, owner: PostgresCallJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [replace(KEY, step=f"step{number}") for number in range(WAITERS)]
    await asyncio.gather(*(owner.open(replace(INTENT, key=key)) for key in keys))
    lent = counted(monkeypatch, elsewhere)
    journal = PostgresCallJournal(elsewhere, "waiter", wait_s_max=NEVER_S, sweep_s=0.1)
    waiters = [asyncio.create_task(journal.find(key)) for key in keys]
    waited = journal._closings._waited

    await until(lambda: sum(each.look_at_s > 0 for each in waited.values()) == WAITERS, within_s=60.0)
    asked, looked_s = len(lent), max(each.look_at_s for each in waited.values())
    await until(lambda: min(each.look_at_s for each in waited.values()) > looked_s, within_s=PROMPT_S)

    assert len(lent) == asked <= WAITERS // GROUP_MAX + 3  # all looked once, in groups, and one listens
    assert elsewhere._pool.get_size() <= CONNECTIONS_MAX
    await asyncio.gather(*(owner.answered(key, ANSWER) for key in keys))
    assert await asyncio.gather(*waiters) == [ANSWER] * WAITERS


def counted(monkeypatch: pytest.MonkeyPatch, database: Database) -> list[None]:
    lent, connection = list[None](), database.connection

    def counting() -> Any:
        lent.append(None)
        return connection()

    monkeypatch.setattr(database, "connection", counting)
    return lent


async def test_the_connection_is_given_back_when_nobody_waits(
    database: Database, elsewhere: Database, owner: PostgresCallJournal
) -> None:
    await owner.open(INTENT)
    waiter = await a_waiter(database, elsewhere, NEVER_S)

    waiter.cancel()

    await until(lambda: elsewhere._pool.get_idle_size() == elsewhere._pool.get_size(), within_s=PROMPT_S)
