"""Whether PostgreSQL really answers, and whether it has Pressline's database."""

import asyncio
from typing import Final

import asyncpg

from streams.embedded import ports
from streams.embedded.errors import EmbeddedError

CONNECT_S_MAX: Final = 5.0
MAINTENANCE_DATABASE: Final = "postgres"


def has_database(port: int, user: str, password: str, database: str) -> bool:
    """Tell whether the server serves the database, which is made if it is missing.

    Blocking, and of no event loop: it runs one of its own, so it must be called from a thread without any.

    Raises:
        EmbeddedError: the server runs but refuses the user.
    """
    if not ports.is_answering(port, timeout_s=CONNECT_S_MAX):
        return False
    try:
        return asyncio.run(_ensure(port, user, password, database))
    except (asyncpg.CannotConnectNowError, ConnectionError, TimeoutError):
        # It starts up, or recovers from a crash.
        return False
    except asyncpg.PostgresError as error:
        raise EmbeddedError(
            f"PostgreSQL runs but does not serve the database {database!r} to user {user!r} ({error}): "
            "expected the password in the data folder to be the one it was made with; put back a copy of "
            "the folder, or delete it (which loses its data)"
        ) from error


async def _ensure(port: int, user: str, password: str, database: str) -> bool:
    try:
        connection = await _connect(port, user, password, database)
    except asyncpg.InvalidCatalogNameError:
        connection = await _connect(port, user, password, MAINTENANCE_DATABASE)
        await connection.execute(f'CREATE DATABASE "{database}"')
    await connection.close(timeout=CONNECT_S_MAX)
    return True


async def _connect(
    port: int, user: str, password: str, database: str
) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        host=ports.LOOPBACK,
        port=port,
        user=user,
        password=password,
        database=database,
        ssl=False,
        timeout=CONNECT_S_MAX,
    )
