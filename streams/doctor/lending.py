"""Check of Redis, where it is set: idle shares of limits are lent through it."""

import asyncio
from collections.abc import Mapping, Sequence

from streams.doctor.finding import Finding, fail, ok, warn
from streams.lease_tables import require_redis
from streams.settings import Settings, SettingsError

ANSWER_S_MAX = 5.0
KEEP_ON = "workers go on without it, each with its own share; start Redis there, or correct PRESSLINE_REDIS"


async def redis(settings: Settings) -> Sequence[Finding]:
    """Check whether Redis answers, and what it is."""
    if settings.redis is None:
        return (ok("redis", "not set, not needed: idle shares are lent through PostgreSQL"),)
    try:
        require_redis(settings)
    except SettingsError as error:
        return (fail("redis", str(error), "workers do not start until that is done"),)
    # Only the extra brings what it needs.
    from redis.exceptions import RedisError  # noqa: PLC0415

    from streams.store.redis_client import redis_client  # noqa: PLC0415

    try:
        async with asyncio.timeout(ANSWER_S_MAX), redis_client(settings.redis.get_secret_value()) as client:
            info = await client.info()
    except (RedisError, OSError) as error:
        # Its text could hold a part of the URL: only the kind of error is shown.
        return (warn("redis", f"no answer: {type(error).__name__}", KEEP_ON),)
    return (judge_redis(info),)


def judge_redis(info: Mapping[str, object]) -> Finding:
    """Return whether shares can be lent through the server.

    Args:
        info: what its command INFO says.
    """
    seen = f"Redis {info.get('redis_version')} answers"
    if info.get("role") != "master":
        todo = "nothing can be written to a replica: set PRESSLINE_REDIS to the primary"
        return warn("redis", f"{seen}, as a replica", todo)
    return ok("redis", seen)
