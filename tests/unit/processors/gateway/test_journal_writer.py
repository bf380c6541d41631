"""A cancelled caller closes its intent, and ends before the engine gives it up."""

import asyncio
import contextlib

from fakes import virtual_time
from fakes.budget_callers import an_intent
from fakes.journal import FakeJournal
from processors.gateway.budgets import Refused
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer, Opened
from processors.gateway.journal_writer import CLOSE_S_MAX, JournalWriter
from streams.engine.draining import CANCEL_S_MAX

INTENT = an_intent("1", "a")
SLACK_S = 0.2
"""What else a record does at its end; two bounds that are the same have no order."""


class SlowJournal(FakeJournal):
    """It opens an intent after `open_s` seconds and then does not answer any more."""

    def __init__(self, open_s: float) -> None:
        super().__init__()
        self._open_s = open_s

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        await asyncio.sleep(self._open_s)
        return await super().open(intent)

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        await asyncio.Event().wait()
        await super().failed(key, attempt, error, billed=billed)


async def _cancelled_s(running: "asyncio.Future[object]") -> float:
    """Let it begin, cancel it; return after how many seconds it has ended."""
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return loop.time() - began_s


def test_who_is_cancelled_while_it_opens_ends_before_the_engine_gives_it_up() -> None:
    async def scenario() -> float:
        writer = JournalWriter(SlowJournal(open_s=0.9 * CLOSE_S_MAX))
        return await _cancelled_s(asyncio.ensure_future(writer.open(INTENT)))

    assert 2.8 * CLOSE_S_MAX < virtual_time.run(scenario()) < CANCEL_S_MAX - SLACK_S


def test_who_is_cancelled_during_a_call_ends_before_the_engine_gives_it_up() -> None:
    async def call(writer: JournalWriter) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await writer.cancelled(INTENT.key, 1, "cancelled during the call", billed=True)
            raise

    async def scenario() -> float:
        writer = JournalWriter(SlowJournal(open_s=0.0))
        return await _cancelled_s(asyncio.ensure_future(call(writer)))

    assert CLOSE_S_MAX <= virtual_time.run(scenario()) < CANCEL_S_MAX - SLACK_S
