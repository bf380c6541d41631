"""Waiting for calls that another task or worker is at: until they close, or their worker's lease ends."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Final, Self

import asyncpg

from processors.errors import StoreUnavailableError
from processors.gateway.flights import LOOK_S
from processors.gateway.journal import CallKey
from processors.gateway.wanted import Unwanted, always_wanted
from streams.store.closing_notices import CHANNEL, token, tokens_of
from streams.store.database import Connection, Database

SWEEP_S: Final = 2.0
RECONNECT_S: Final = 1.0

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Waited:
    """A call that somebody waits for; `look_at_s` is when the sweep looks at it next (loop time)."""

    key: CallKey
    waiters: int = 0
    look_at_s: float = 0.0
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class Closings:
    """What a worker's tasks wait for, with one connection for all of them, and only while somebody waits.

    Whoever closes a call sends a notice (`ClosingNotices`), which wakes those who wait for it here. A sweep,
    one statement for all calls at once, finds what no notice tells: a lease that ended, a notice that was
    lost, a call that closed before the listening began. It looks at a call at once, then every `sweep_s`
    seconds. When the connection breaks, all look for themselves, once, and a new connection is made.

    Args:
        database: one of its connections is taken.
        worker_id: this process; a call that is open under it counts as live.
        sweep_s: seconds between two looks at a call.
    """

    def __init__(self, database: Database, worker_id: str, *, sweep_s: float = SWEEP_S) -> None:
        self._database = database
        self._worker_id = worker_id
        self._sweep_s = sweep_s
        self._waited: dict[str, _Waited] = {}
        self._news = asyncio.Event()
        self._lost = False
        self._watching: asyncio.Task[None] | None = None

    def turns(self, key: CallKey, wait_s_max: float, unwanted: Unwanted = always_wanted) -> "Turns":
        """Iterate: a turn to look at the call at once, then one each time that it may have closed.

        Args:
            key: which call.
            wait_s_max: seconds after which there are no more turns.
            unwanted: what it says is raised in place of the next turn.
        """
        return Turns(self, key, wait_s_max, unwanted)

    async def wait(self, key: CallKey, until_s: float, unwanted: Unwanted) -> bool:
        """Wait until the call may have closed; False when that took until `until_s` (loop time).

        Raises:
            ProcessingError: what `unwanted` said.
        """
        name = token(key)
        waited = self._waited.setdefault(name, _Waited(key=key))
        waited.waiters += 1
        self._watch_soon()
        loop = asyncio.get_running_loop()
        try:
            while not waited.closed.is_set() and loop.time() < until_s:
                if (error := unwanted()) is not None:
                    raise error
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(loop.time() + LOOK_S, until_s)):
                        await waited.closed.wait()
            return waited.closed.is_set()
        finally:
            waited.waiters -= 1
            if waited.waiters == 0 and self._waited.get(name) is waited:
                self._wake(name)

    def _watch_soon(self) -> None:
        self._news.set()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while self._waited:  # ends when nobody waits; each who waits has a bound
            try:
                async with self._database.connection() as connection:
                    await self._listen(connection)
            except StoreUnavailableError as error:
                logger.warning("waiting for calls without notices for %g s: %s", RECONNECT_S, error)
                self._wake(*self._waited)
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self, connection: Connection) -> None:
        self._lost = False
        try:
            connection.add_termination_listener(self._on_lost)
            await connection.add_listener(CHANNEL, self._on_notice)
            while self._waited:
                await self._sweep(connection)
                await self._pause()
                if self._lost:
                    raise StoreUnavailableError("the listening connection ended, expected it to last")
        finally:
            # The pool has taken a lost connection back already, and says so.
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.remove_termination_listener(self._on_lost)
                await connection.remove_listener(CHANNEL, self._on_notice)

    async def _sweep(self, connection: Connection) -> None:
        now_s = asyncio.get_running_loop().time()
        due = [waited for waited in self._waited.values() if waited.look_at_s <= now_s]
        for waited in due:
            waited.look_at_s = now_s + self._sweep_s
        revisions, steps = [w.key.revision for w in due], [w.key.step for w in due]
        for row in await connection.fetch(SELECT_CLOSED, revisions, steps, self._worker_id):
            self._wake(token(CallKey(revision=row["revision"], step=row["step"])))

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._sweep_s):
                await self._news.wait()
        self._news.clear()

    def _on_notice(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._wake(*tokens_of(str(payload)))

    def _on_lost(self, _connection: object) -> None:
        self._lost = True
        self._news.set()

    def _wake(self, *names: str) -> None:
        for name in names:
            waited = self._waited.pop(name, None)
            if waited is not None:
                waited.closed.set()
        if not self._waited:
            self._news.set()  # gives the connection back


class Turns:
    """An asynchronous iterator; see `Closings.turns`.

    A class, since an abandoned asynchronous generator costs the event loop a task.
    """

    def __init__(self, closings: Closings, key: CallKey, wait_s_max: float, unwanted: Unwanted) -> None:
        self._closings = closings
        self._key = key
        self._unwanted = unwanted
        self._until_s = asyncio.get_running_loop().time() + wait_s_max
        self._first = True

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> None:
        """Wait, except before the first turn."""
        if self._first:
            self._first = False
            return
        if not await self._closings.wait(self._key, self._until_s, self._unwanted):
            raise StopAsyncIteration


SELECT_CLOSED: Final = """
SELECT w.revision, w.step
FROM unnest($1::text[], $2::text[]) AS w (revision, step)
WHERE EXISTS (
    SELECT FROM model_calls AS c
    WHERE c.revision = w.revision AND c.step = w.step AND c.state = 'answered'
) OR NOT EXISTS (
    SELECT FROM model_calls AS c
    WHERE c.revision = w.revision AND c.step = w.step AND c.state = 'open'
      AND (c.worker_id = $3 OR worker_is_live(c.worker_id))
)
"""
