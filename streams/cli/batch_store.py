"""The database as the commands about loads use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streams.settings import Settings
from streams.store.batches import PostgresBatches
from streams.store.migrations import migrated
from streams.store.recipes import PostgresRecipeStore

CONNECTIONS_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStore:
    """Loads, and the recipes that they are bound to."""

    batches: PostgresBatches
    recipes: PostgresRecipeStore


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[BatchStore]:
    """Connect to the database, its schema brought up to date.

    Raises:
        SettingsError: no database is set and none runs.
        StoreUnavailableError: it does not answer.
        MigrationError: its schema cannot become ours.
    """
    async with migrated(settings.need_database(), CONNECTIONS_MAX) as database:
        yield BatchStore(batches=PostgresBatches(database), recipes=PostgresRecipeStore(database))
