"""The database as the commands about waiting work use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.settings import Settings
from streams.store.migrations import migrated
from streams.store.reports import PostgresReports


@asynccontextmanager
async def open_reports(settings: Settings) -> AsyncIterator[PostgresReports]:
    """Connect to the database, its schema brought up to date.

    Raises:
        SettingsError: no database is set and none runs.
        StoreUnavailableError: it does not answer.
        MigrationError: its schema cannot become ours.
    """
    async with migrated(settings.need_database()) as database:
        yield PostgresReports(database)
