"""The connection to Redis. The extra `redis` installs what is imported here."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from processors.gateway.lending import EXCHANGE_S_MAX
from streams.settings import SettingsError


def redis_client(url: str) -> Redis:
    """Return a client; it connects when it is first used, and anew after each failure.

    Args:
        url: `redis://` or `rediss://`, with the options of redis-py as its query.

    Raises:
        SettingsError: the URL cannot be used.
    """
    try:
        client = Redis.from_url(
            url,
            protocol=2,  # as all servers speak it; no notifications of maintenance are asked for
            retry=Retry(NoBackoff(), 0),
            socket_timeout=EXCHANGE_S_MAX,
            socket_connect_timeout=EXCHANGE_S_MAX,
        )
        pool: Any = client.connection_pool
        pool.make_connection()  # connects nowhere, but refuses options that there are not
    except (TypeError, ValueError, RedisError):
        # Their texts may quote a part of the password.
        raise SettingsError(
            "PRESSLINE_REDIS cannot be used, expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or "
            "rediss:// for TLS, with special characters of the password percent-encoded"
        ) from None
    return client
