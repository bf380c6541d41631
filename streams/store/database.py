"""The connection pool: every statement of the store passes through here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from processors.errors import StoreUnavailableError
from streams.store.away import is_away

CONNECT_TRIES_MAX: Final = 20
CONNECT_PAUSE_S: Final = 0.5
CONNECT_S_MAX: Final = 5.0
STATEMENT_S_MAX: Final = 30.0
CLOSE_S_MAX: Final = 5.0
# The client gives up a little later than the server: its own limit is for a server that does not answer.
COMMAND_S_MAX: Final = STATEMENT_S_MAX + 5.0
# Busy is not away: who gives up and comes again has done in vain what it did so far, and the more do so, the
# less is done. A server that is away is noticed by those that have a connection.
ACQUIRE_S_MAX: Final = 2 * COMMAND_S_MAX

Row: TypeAlias = asyncpg.Record
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class Database:
    """A pool of connections whose errors are ours: away is `StoreUnavailableError`, the rest are bugs.

    Args:
        pool: an open pool; made by `open`.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, connections_max: int) -> Self:
        """Connect, waiting for a server that is still starting.

        Args:
            url: `postgresql://...`.
            connections_max: most connections of this process.

        Raises:
            StoreUnavailableError: no connection in CONNECT_TRIES_MAX tries, CONNECT_PAUSE_S seconds apart.
        """
        for tries_left in reversed(range(CONNECT_TRIES_MAX)):
            try:
                return cls(await _pool(url, connections_max))
            except Exception as error:
                if not is_away(error):
                    raise
                if tries_left == 0:
                    raise _unavailable(error) from error
            await asyncio.sleep(CONNECT_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Close every connection; statements that run for CLOSE_S_MAX seconds more are cut off."""
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_S_MAX)
        except TimeoutError:
            self._pool.terminate()

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Run one statement and return all its rows.

        Raises:
            StoreUnavailableError: the database is away.
        """
        async with self.connection() as connection:
            return await connection.fetch(sql, *args)

    async def fetch_row(self, sql: str, *args: object) -> Row | None:
        """Run one statement and return its first row, or None.

        Raises:
            StoreUnavailableError: the database is away.
        """
        async with self.connection() as connection:
            return await connection.fetchrow(sql, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction (read committed): committed at the end, or rolled back.

        Raises:
            StoreUnavailableError: the database is away; whether a commit under way counted is unknown.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. Statements set nothing on its session: it goes back as it is.

        Raises:
            StoreUnavailableError: the database is away, or no connection was free for ACQUIRE_S_MAX seconds.
        """
        try:
            # Not acquire's own time-out: that is a task and a timer more for each statement.
            async with asyncio.timeout(ACQUIRE_S_MAX):
                connection = await self._pool.acquire()
            try:
                yield connection
            finally:
                await self._pool.release(connection, timeout=ACQUIRE_S_MAX)
        except Exception as error:
            if is_away(error):
                raise _unavailable(error) from error
            raise


def _unavailable(error: Exception) -> StoreUnavailableError:
    """The driver's text may quote values, so only its type is told."""
    return StoreUnavailableError(
        f"PostgreSQL answered with {type(error).__name__}, expected a result: is it running and reachable?"
    )


async def _pool(url: str, connections_max: int) -> "asyncpg.Pool[asyncpg.Record]":
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=connections_max,
        timeout=CONNECT_S_MAX,
        command_timeout=COMMAND_S_MAX,
        init=_set_codecs,
        reset=_keep_session,
        server_settings={
            "application_name": "pressline",
            "statement_timeout": str(int(STATEMENT_S_MAX * 1000)),
            "jit": "off",  # statements are short: compiling them takes longer than running them
        },
    )


async def _set_codecs(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """JSON in and out as values; numeric is Decimal and timestamptz is aware UTC by asyncpg itself."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="text", encoder=_encode_json, decoder=orjson.loads
    )


async def _keep_session(_connection: Any) -> None:
    """Replace asyncpg's reset, one more round trip per statement: no session state is ever set here."""


def _encode_json(value: object) -> str:
    return orjson.dumps(value).decode()
