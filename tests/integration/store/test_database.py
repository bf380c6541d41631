"""The pool and the schema on a real server."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from processors.errors import StoreUnavailableError
from streams.store import database as database_module
from streams.store.database import Database
from streams.store.migrations import MigrationError, migrate, shipped

pytestmark = pytest.mark.integration


async def test_a_refused_connection_is_tried_again_and_then_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "CONNECT_TRIES_MAX", 2)
    monkeypatch.setattr(database_module, "CONNECT_PAUSE_S", 0.01)

    with pytest.raises(StoreUnavailableError, match="ConnectionRefusedError") as raised:
        await Database.open("postgresql://u:secret@127.0.0.1:1/x", connections_max=1)

    assert "secret" not in str(raised.value)
    assert isinstance(raised.value.__cause__, OSError)


async def test_a_refused_password_is_reported_at_once(empty_database_url: str) -> None:
    wrong = "postgresql://nobody:wrong@" + empty_database_url.split("@")[1]

    with pytest.raises(asyncpg.InvalidPasswordError):
        await Database.open(wrong, connections_max=1)


async def test_a_connection_that_the_server_ends_is_away_and_the_next_works(database: Database) -> None:
    with pytest.raises(StoreUnavailableError):
        await database.fetch("SELECT pg_terminate_backend(pg_backend_pid())")

    assert (await database.fetch("SELECT 1 AS one"))[0]["one"] == 1


async def test_a_statement_over_its_time_is_away(database: Database) -> None:
    async def overrun() -> None:
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL statement_timeout = 20")
            await connection.execute("SELECT pg_sleep(5)")

    with pytest.raises(StoreUnavailableError, match="QueryCanceledError"):
        await overrun()


async def test_a_closed_database_is_away(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url, connections_max=1)
    await database.close()

    with pytest.raises(StoreUnavailableError):
        await database.fetch("SELECT 1")


async def test_wrong_sql_is_a_bug(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.fetch("SELECT * FROM nowhere")


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO recipes VALUES ('a', 'b', '{}', '{}')")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fail()

    assert await database.fetch("SELECT * FROM recipes") == []


async def test_money_and_json_keep_their_values(database: Database) -> None:
    [row] = await database.fetch(
        "SELECT $1::numeric AS money, $2::json AS value", Decimal("0.10"), {"nul": "\0", "list": [1, "é"]}
    )

    assert str(row["money"]) == "0.10"
    assert row["value"] == {"nul": "\0", "list": [1, "é"]}


async def test_workers_that_start_together_migrate_once(empty_database_url: str) -> None:
    databases = [await Database.open(empty_database_url, connections_max=1) for _ in range(5)]

    applied = await asyncio.gather(*(migrate(database) for database in databases))

    assert sorted(applied) == [0, 0, 0, 0, len(list(shipped()))]
    for database in databases:
        await database.close()


async def test_a_changed_migration_is_refused(database: Database) -> None:
    [first, *rest] = shipped()
    changed = replace(first, sql=first.sql + "-- changed")

    with pytest.raises(MigrationError, match="0001_initial"):
        await migrate(database, (changed, *rest))


async def test_a_broken_migration_leaves_the_schema_as_it_was(database: Database) -> None:
    known = tuple(shipped())
    good = replace(known[0], version=9001, name="9001_good.sql", sql="CREATE TABLE good (id int)")
    bad = replace(known[0], version=9002, name="9002_bad.sql", sql="CREATE TABEL bad (id int)")

    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(database, (*known, good, bad))

    assert (await database.fetch("SELECT to_regclass('good') AS good"))[0]["good"] is None


async def test_every_table_and_view_says_what_it_is(database: Database) -> None:
    rows = await database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') "
        "AND obj_description(oid) IS NULL"
    )

    assert rows == []
