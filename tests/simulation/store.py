"""The paid-call journal of each worker, on rows and leases that all share, behind a connection that fails."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from fakes.journal import FakeCall, FakeCalls, FakeJournal
from fakes.lease_table import FakeLeaseRows
from processors.errors import ClaimedElsewhereError, StoreUnavailableError
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer, Opened
from processors.gateway.wanted import Unwanted, always_wanted
from streams.store.waiting import Polls
from streams.store.workers import HEARTBEAT_S, LEASE_S

from .history import History
from .loop import OUTSIDE, Process
from .network import Link, Network

STATEMENT_S_MAX = 5.0
WAIT_S_MAX = 60.0
"""Shorter than the product's 120 s: who waits for a live worker for longer comes again."""


@dataclass(slots=True, eq=False, kw_only=True)
class Store:
    """The database.

    Attributes:
        calls: the journal's rows, and which workers' leases last.
        lost: how often the worker of an open intent died or lost its lease, by call: each may cost a call.
        loans: what the workers lend each other of the limit.
        admissions: when which worker was about to open an intent: its turn at the limits had come.
    """

    history: History
    network: Network
    rng: random.Random
    calls: FakeCalls = field(default_factory=FakeCalls)
    loans: FakeLeaseRows = field(default_factory=FakeLeaseRows)
    lost: dict[CallKey, int] = field(default_factory=dict)
    admissions: list[tuple[float, str]] = field(default_factory=list)
    _expiries: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    def rows(self) -> list[FakeCall]:
        return [call for attempts in self.calls.attempts.values() for call in attempts]

    def extend(self, process: Process) -> None:
        """The worker lives: its lease lasts for as long as it runs."""
        expiry = self._expiries.pop(process.name, None)
        if expiry is not None:
            expiry.cancel()
        self.calls.live.add(process.name)

    def silence(self, process: Process) -> None:
        """The worker extends its lease no longer."""
        if process.name in self._expiries or process.name not in self.calls.live:
            return
        loop, seconds = asyncio.get_running_loop(), LEASE_S - self.rng.uniform(0.0, HEARTBEAT_S)
        self._expiries[process.name] = loop.call_later(seconds, self._expire, process, context=OUTSIDE)

    def release(self, process: Process) -> None:
        """The worker says that it ends."""
        self.calls.live.discard(process.name)
        self._lose(process)

    def _expire(self, process: Process) -> None:
        self.history.note("lease_ended", process.name)
        del self._expiries[process.name]
        self.calls.live.discard(process.name)
        self._lose(process)

    def _lose(self, process: Process) -> None:
        """Another worker may call again for what this one has open."""
        for call in self.rows():
            if call.worker_id == process.name and call.state == "open":
                key = call.intent.key
                self.lost[key] = self.lost.get(key, 0) + 1


class SimulatedJournal(FakeJournal):
    """The journal as one worker reaches it."""

    def __init__(self, store: Store, process: Process) -> None:
        super().__init__(process.name, store.calls)
        self._store = store
        self._opening: Counter[CallKey] = Counter()
        self._link = Link(
            network=store.network,
            process=process,
            part="store",
            broken=StoreUnavailableError,
            late=StoreUnavailableError,
            timeout_s=STATEMENT_S_MAX,
            refused=(StoreUnavailableError,),
        )

    async def find(self, key: CallKey, unwanted: Unwanted = always_wanted) -> JournaledAnswer | None:
        async for _ in Polls(WAIT_S_MAX):
            free, answer = await self._link.request(lambda: self._look(key))
            if free or answer is not None:
                return answer
            if (error := unwanted()) is not None:
                raise error
        raise ClaimedElsewhereError(f"simulated: step {key.step!r} is open under a live worker")

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer:
        self._store.admissions.append((self._store.history.now_s, self.worker_id))
        async for _ in Polls(WAIT_S_MAX):
            opened = await self._opened(intent)
            if opened is not None:
                return opened
        raise ClaimedElsewhereError(f"simulated: step {intent.key.step!r} is open under a live worker")

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        closing = super().answered
        await self._link.request(lambda: self._apply("answered", key, closing(key, answer)))

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        closing = super().failed
        await self._link.request(
            lambda: self._apply("failed", key, closing(key, attempt, error, billed=billed))
        )

    async def disown(self, key: CallKey) -> None:
        if key in self._opening:
            raise ClaimedElsewhereError(f"simulated: step {key.step!r} is being opened here")
        closing = super().disown
        await self._link.request(lambda: self._apply("disowned", key, closing(key)))

    async def _opened(self, intent: CallIntent) -> Opened | JournaledAnswer | None:
        self._opening += Counter([intent.key])
        try:
            opened = await self._link.request(lambda: self._open_if_free(intent))
            if isinstance(opened, Opened):
                self.opened[intent.key] = opened.attempt
        finally:
            self._opening -= Counter([intent.key])
        return opened

    def _look(self, key: CallKey) -> tuple[bool, JournaledAnswer | None]:
        current = self._current(key)
        if current is None or (current.state == "open" and not self._live(current)):
            return True, None
        return False, current.answer

    def _open_if_free(self, intent: CallIntent) -> Opened | JournaledAnswer | None:
        current = self._current(intent.key)
        if current is not None and current.answer is not None:
            return current.answer
        if current is not None and self._live(current):
            return None
        opened = self._open(intent, current)
        self._store.history.note("open", self.worker_id, intent.key.revision, intent.key.step, opened.attempt)
        return opened

    def _apply(self, name: str, key: CallKey, write: Coroutine[Any, Any, None]) -> None:
        self._store.history.note(name, self.worker_id, key.revision, key.step)
        _at_once(write)


def _at_once(write: Coroutine[Any, Any, None]) -> None:
    """Run what never waits."""
    try:
        write.send(None)
    except StopIteration:
        return
    raise AssertionError("the fake journal's writes were expected not to wait")
