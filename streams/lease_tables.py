"""The table that workers lend each other through: in Redis where one is set, else in PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from processors.gateway.lending import LeaseTable
from streams.settings import Settings, SettingsError
from streams.store.database import Database
from streams.store.limit_leases import PostgresLeaseTable

INSTALL = "run pip install 'pressline[redis]', or unset PRESSLINE_REDIS"


@asynccontextmanager
async def open_lease_table(
    settings: Settings, database: Database, worker_id: str
) -> AsyncIterator[LeaseTable]:
    """Lend the table of the settings. Redis need not be there yet.

    Args:
        settings: whether it is in Redis.
        database: where it is otherwise.
        worker_id: whose view.

    Raises:
        SettingsError: Redis is set, and its package is not installed or its URL cannot be used.
    """
    if settings.redis is None:
        yield PostgresLeaseTable(database, worker_id)
        return
    require_redis(settings)
    # Only the extra brings what it needs.
    from streams.store.limit_leases_redis import RedisLeaseTable  # noqa: PLC0415
    from streams.store.redis_client import redis_client  # noqa: PLC0415

    async with redis_client(settings.redis.get_secret_value()) as client:
        yield RedisLeaseTable(client, worker_id)


def require_redis(settings: Settings) -> None:
    """Check that what Redis needs is there, if it is set; connects nowhere.

    Raises:
        SettingsError: it is not.
    """
    if settings.redis is None:
        return
    if find_spec("redis") is None:
        raise SettingsError(f"PRESSLINE_REDIS is set, and the package redis is not installed: {INSTALL}")
    from streams.store.redis_client import redis_client  # noqa: PLC0415 - only the extra brings what it needs

    _ = redis_client(settings.redis.get_secret_value())
