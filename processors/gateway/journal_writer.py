"""Writes to the journal that must not be lost: tried again while the store is away, and kept for later."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from processors.errors import StoreUnavailableError, UnavailableError
from processors.gateway.budgets import Refused
from processors.gateway.journal import CallIntent, CallJournal, CallKey, JournaledAnswer, Opened

JOURNAL_RETRY_S_MAX = 30.0
BACKOFF_S = 0.05
BACKOFF_S_MAX = 1.0
CLOSE_S_MAX = 1.5
"""Who is cancelled while it opens takes three of them; the engine waits longer than that (CANCEL_S_MAX)."""
KEPT_MAX = 10_000
SWEEP_S = 5.0

T = TypeVar("T")
Write = Callable[[], Awaitable[None]]


class JournalWriter:
    """Opens and closes intents, whatever happens to the task that asked for it.

    What cannot be written within JOURNAL_RETRY_S_MAX seconds is kept in memory, for KEPT_MAX calls at most
    (the oldest go first), and written when the same call is asked for again, or else as soon as the store is
    back: the call's record may be another worker's by now, who waits for as long as this one lives.

    Args:
        journal: where to.
        retry_s_max: how long a write is tried while the store is away, in seconds.
    """

    def __init__(self, journal: CallJournal, retry_s_max: float = JOURNAL_RETRY_S_MAX) -> None:
        self._journal = journal
        self._retry_s_max = retry_s_max
        self._kept: OrderedDict[CallKey, Write] = OrderedDict()
        self._sweeping: asyncio.Future[None] | None = None

    async def flush(self, key: CallKey) -> None:
        """Write what was kept for that call, if anything.

        Raises:
            StoreUnavailableError: the store is still away.
            ClaimedElsewhereError: another task of this worker is at that call.
        """
        write = self._kept.get(key)
        if write is not None:
            await write()
            if self._kept.get(key) is write:
                del self._kept[key]

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        """Open the intent; a cancelled caller leaves none open.

        Raises:
            ClaimedElsewhereError, StoreUnavailableError: as the journal.
        """
        opening = asyncio.ensure_future(self._journal.open(intent))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opened = await _ended(opening)
            if isinstance(opened, Opened):
                await self.cancelled(intent.key, opened.attempt, "cancelled before the call", billed=False)
            elif opened is None:
                self._disown_later(intent.key)
            raise
        except StoreUnavailableError:
            self._disown_later(intent.key)
            raise

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        """Make the answer durable; a cancelled caller waits for that, CLOSE_S_MAX seconds at most.

        Raises:
            StoreUnavailableError: the store stayed away; the answer is kept.
        """
        await self._write(key, partial(self._journal.answered, key, answer))

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        """Close the intent without an answer, likewise; while the store is away that is kept, too."""
        try:
            await self._write(key, partial(self._journal.failed, key, attempt, error, billed=billed))
        except StoreUnavailableError:
            return  # kept: the failure itself is what the caller has to hear of

    async def cancelled(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        """Close the intent of a caller that has to end: within twice CLOSE_S_MAX seconds, or else later."""
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.failed(key, attempt, error, billed=billed)
        except TimeoutError:
            return  # kept

    async def _write(self, key: CallKey, write: Write) -> None:
        # Kept before it is tried: a caller that is cancelled for good leaves it to be written later.
        self._kept[key] = write
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        writing = asyncio.ensure_future(self._retried(write))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await _ended(writing)
            raise
        finally:
            if writing.done() and not writing.cancelled() and writing.exception() is None:
                self._kept.pop(key, None)
            else:
                self._sweep_later()

    def _disown_later(self, key: CallKey) -> None:
        """It may be open though nobody heard of it: only the answer may have been lost."""
        self._kept.setdefault(key, partial(self._journal.disown, key))
        self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.ensure_future(self._sweep())

    async def _sweep(self) -> None:
        while self._kept:  # what is kept is bounded; the worker's life bounds the rounds
            await asyncio.sleep(SWEEP_S)
            for key in tuple(self._kept):
                with contextlib.suppress(UnavailableError):
                    await self.flush(key)

    async def _retried(self, write: Write) -> None:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._retry_s_max
        delay_s = BACKOFF_S
        while True:  # ends with the write, or at give_up_s
            try:
                await write()
            except StoreUnavailableError:
                if loop.time() + delay_s > give_up_s:
                    raise
            else:
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, BACKOFF_S_MAX)


async def _ended(future: asyncio.Future[T]) -> T | None:
    """Wait for the end of a write whose caller was cancelled, CLOSE_S_MAX seconds at most."""
    done, _ = await asyncio.wait({future}, timeout=CLOSE_S_MAX)
    if not done:
        future.cancel()
        return None
    return None if future.cancelled() or future.exception() else future.result()
