"""The schema's versions: SQL files that are applied once, in order, forward only."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Final

from streams.store.database import Connection, Database

MIGRATION_S_MAX: Final = 300.0
SERVER_VERSION_MIN: Final = 150_000
# Any number that no other program locks: the bytes of "press".
LOCK: Final = 0x7072657373


class MigrationError(Exception):
    """The database's schema cannot become ours; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One SQL file.

    Attributes:
        version: number that the file's name starts with.
        name: the file's name.
        sql: its text.
    """

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """sha256 of the text, 64 hex digits."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@asynccontextmanager
async def migrated(url: str, connections_max: int = 1) -> AsyncIterator[Database]:
    """Connect to a database whose schema is ours by then.

    Args:
        url: PostgreSQL URL.
        connections_max: most connections at once.

    Raises:
        StoreUnavailableError: it does not answer.
        MigrationError: its schema cannot become ours.
    """
    database = await Database.open(url, connections_max=connections_max)
    try:
        await migrate(database)
        yield database
    finally:
        await database.close()


async def migrate(database: Database, migrations: tuple[Migration, ...] | None = None) -> int:
    """Bring the schema up to date, all in one transaction; workers that start together wait for the first.

    Args:
        database: where to.
        migrations: in order; None for those that are shipped.

    Returns:
        How many were applied now.

    Raises:
        MigrationError: the server is too old, or an applied file has changed since.
        StoreUnavailableError: the database is away.
    """
    wanted = tuple(shipped()) if migrations is None else migrations
    async with database.transaction() as connection:
        await _check_server(connection)
        await connection.execute(f"SET LOCAL statement_timeout = {int(MIGRATION_S_MAX * 1000)}")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK, timeout=MIGRATION_S_MAX)
        await connection.execute(CREATE_TABLE)
        rows = await connection.fetch(SELECT_APPLIED)
        missing = _missing(wanted, {row["version"]: row["checksum"] for row in rows})
        for migration in missing:
            await connection.execute(migration.sql, timeout=MIGRATION_S_MAX)
            await connection.execute(INSERT_APPLIED, migration.version, migration.name, migration.checksum)
    return len(missing)


def shipped() -> Iterator[Migration]:
    """Yield the migrations of this version of Pressline in order."""
    folder = resources.files("streams.store") / "migrations"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            version = int(file.name.split("_")[0])
            yield Migration(version=version, name=file.name, sql=file.read_text(encoding="utf-8"))


def _missing(wanted: tuple[Migration, ...], applied: dict[int, str]) -> tuple[Migration, ...]:
    """Applied versions that we do not know are a newer Pressline's: a rolling upgrade is under way."""
    for migration in wanted:
        checksum = applied.get(migration.version, migration.checksum)
        if checksum != migration.checksum:
            raise MigrationError(
                f"migration {migration.name} was applied with checksum {checksum[:12]}, the file now has "
                f"{migration.checksum[:12]}: an applied file never changes; restore it and add a new one"
            )
    return tuple(migration for migration in wanted if migration.version not in applied)


async def _check_server(connection: Connection) -> None:
    version = int(await connection.fetchval("SHOW server_version_num"))
    if version < SERVER_VERSION_MIN:
        raise MigrationError(
            f"the server is PostgreSQL {version // 10_000}, expected {SERVER_VERSION_MIN // 10_000} or later"
        )


CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_migrations IS 'Which versions of the schema were applied, and with which text.';
"""

SELECT_APPLIED: Final = "SELECT version, checksum FROM schema_migrations"

INSERT_APPLIED: Final = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"
