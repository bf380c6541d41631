"""What workers lend each other of a provider's limit: one value of Redis for each provider."""

import asyncio
import random
from typing import Any, Final

from pydantic import NonNegativeFloat, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from processors.errors import StoreUnavailableError
from processors.gateway.lending import SETTLE_S, LeaseTable, Standing, Terms, Wish, terms
from schemas.base import Message

KEY: Final = "pressline:limit_leases:"
FORGET_S: Final = 3_600
TRIES_MAX: Final = 10
"""Of those that write at once one succeeds; the others come again, at most PAUSE_S_MAX later."""
PAUSE_S_MAX: Final = 0.1


class Entry(Message):
    """What one worker has written, and when it ends, in seconds by the clock of Redis."""

    offered: NonNegativeFloat
    borrowed: NonNegativeFloat
    hungry: bool
    until_s: float


class Rows(Message):
    """What all workers have written.

    Attributes:
        server: the process of Redis that the rows were begun on. Another one, after a restart or a failover,
            may have lost the newest of them.
        born_s: when, by its clock.
        entries: by worker.
    """

    server: str
    born_s: float
    entries: dict[str, Entry]

    def others(self, worker_id: str, now_s: float) -> list[Standing]:
        """Return what has not ended of all workers but that one."""
        return [
            Standing(
                wish=Wish(offered=entry.offered, borrowed=entry.borrowed, hungry=entry.hungry),
                left_s=entry.until_s - now_s,
            )
            for name, entry in self.entries.items()
            if name != worker_id and entry.until_s > now_s
        ]

    def with_entry(self, worker_id: str, entry: Entry, now_s: float) -> "Rows":
        """Return the rows with that entry, and without those that have ended."""
        kept = {name: other for name, other in self.entries.items() if other.until_s > now_s}
        return self.model_copy(update={"entries": kept | {worker_id: entry}})


class RedisLeaseTable(LeaseTable):
    """One worker's view. Time is that of Redis; a write counts only if nobody wrote since the read before it.

    Redis may forget: a restart, a failover to a replica that is behind, FLUSHALL. Rows that are new, or were
    begun on another server, lend nothing for SETTLE_S seconds: all that was lent before has ended by then.

    Args:
        client: of Redis, which waits no longer than a caller does.
        worker_id: this process.
    """

    def __init__(self, client: Redis, worker_id: str) -> None:
        self._client = client
        self._worker_id = worker_id

    async def exchange(self, provider: str, wish: Wish) -> Terms:
        """Write this worker's entry and return what it gets; see the port."""
        key = KEY + provider
        try:
            for _ in range(TRIES_MAX):
                answer = await self._try(key, wish)
                if answer is not None:
                    return answer
                await asyncio.sleep(random.uniform(0, PAUSE_S_MAX))  # noqa: S311 - jitter needs no secrecy
        except (RedisError, OSError) as error:
            # The client's text may quote the address, so only its type is told.
            raise StoreUnavailableError(
                f"Redis answered with {type(error).__name__}, expected a result: is it running and reachable?"
            ) from error
        raise StoreUnavailableError(f"others wrote to {key} in Redis during each of {TRIES_MAX} tries")

    async def _try(self, key: str, wish: Wish) -> Terms | None:
        """Return None when another worker wrote first."""
        read, now_s, server = await self._read(key)
        rows = _parsed(read)
        if rows is None or rows.server != server:
            rows = Rows(server=server, born_s=now_s, entries={})
            await self._write(key, read, rows)
        if now_s < rows.born_s + SETTLE_S:
            raise StoreUnavailableError(
                f"{key} in Redis is new: nothing is lent for {SETTLE_S:g} s, until what may be lost has ended"
            )
        answer = terms(wish, rows.others(self._worker_id, now_s))
        entry = Entry(
            offered=wish.offered,
            borrowed=answer.written,
            hungry=wish.hungry,
            # By the time of the read: a write that comes late, however late, ends no later.
            until_s=now_s + answer.lasts_s,
        )
        written = await self._write(key, read, rows.with_entry(self._worker_id, entry, now_s))
        return answer if written else None

    async def _read(self, key: str) -> tuple[bytes, float, str]:
        """Return the value, the time and the server's id, all of one moment."""
        async with self._client.pipeline() as opened:
            pipe: Any = opened  # its types say that each command is to be awaited
            pipe.get(key)
            pipe.time()
            pipe.info("server")
            value, (seconds, microseconds), info = await pipe.execute()
        if "run_id" not in info:
            raise StoreUnavailableError(
                "this Redis tells no run_id, without which a loss goes unnoticed: unset PRESSLINE_REDIS"
            )
        return value or NOTHING, seconds + microseconds / 1e6, str(info["run_id"])

    async def _write(self, key: str, read: bytes, rows: Rows) -> bool:
        """Write if the value is still what was read, and return whether it was."""
        value = rows.model_dump_json().encode()
        # Not WATCH, which a cancelled call would leave on its connection.
        written: Any = await self._client.eval(REPLACE, 1, key, read, value, FORGET_S)
        return bool(written)


NOTHING: Final = b""

REPLACE: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


def _parsed(value: bytes) -> Rows | None:
    """Return what was written; None for nothing, and for what cannot be read, as of another version."""
    try:
        return Rows.model_validate_json(value)
    except ValidationError:
        return None
