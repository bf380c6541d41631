"""Paid-call journal in memory."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from processors.errors import ClaimedElsewhereError, WorkersDiedError
from processors.gateway.budgets import Budget, Refused, Standing, Verdict, names_of, verdict, window_start
from processors.gateway.journal import DEATHS_MAX, CallIntent, CallKey, JournaledAnswer, Opened
from processors.gateway.wanted import Unwanted, always_wanted

WAIT_TURNS_MAX = 1000
DEAD_WORKER = "the worker is dead"


@dataclass(slots=True, kw_only=True)
class FakeCall:
    intent: CallIntent
    worker_id: str
    opened_at: datetime
    state: Literal["open", "answered", "failed", "unknown"] = "open"
    cost_usd: Decimal | None = None
    answer: JournaledAnswer | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class FakeCalls:
    """The rows that workers share: attempts by call, and which workers are alive."""

    attempts: dict[CallKey, list[FakeCall]] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def standing(self, budget: Budget, *, simulated: bool) -> Standing:
        """What is booked in the budget's present window."""
        booked = [
            call
            for attempts in self.attempts.values()
            for call in attempts
            if names_of(call.intent.task)[budget.key.scope] == budget.key.name
            and window_start(budget.key.window, call.opened_at) == window_start(budget.key.window, self.now)
            and call.intent.simulated == simulated
        ]
        return Standing(
            settled_usd=sum((call.cost_usd or Decimal(0) for call in booked), Decimal(0)),
            reserved_usd=sum((c.intent.cost_max_usd for c in booked if c.state == "open"), Decimal(0)),
        )


class FakeJournal:
    """The journal of one live worker; `beside` gives another worker's over the same calls."""

    def __init__(self, worker_id: str = "worker-1", calls: FakeCalls | None = None) -> None:
        self.worker_id = worker_id
        self.calls = calls or FakeCalls()
        self.calls.live.add(worker_id)
        self.error: Exception | None = None
        self.opened: dict[CallKey, int] = {}

    def beside(self, worker_id: str) -> "FakeJournal":
        return FakeJournal(worker_id, self.calls)

    def attempts(self, key: CallKey) -> list[FakeCall]:
        return self.calls.attempts.setdefault(key, [])

    async def find(self, key: CallKey, unwanted: Unwanted = always_wanted) -> JournaledAnswer | None:
        for _ in range(WAIT_TURNS_MAX):
            self._raise_error()
            current = self._current(key)
            if current is None or (current.state == "open" and not self._live(current)):
                return None
            if current.answer is not None:
                return current.answer
            if (error := unwanted()) is not None:
                raise error
            await asyncio.sleep(0)
        raise ClaimedElsewhereError(f"step {key.step!r} is open under a live worker")

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        for _ in range(WAIT_TURNS_MAX):
            self._raise_error()
            current = self._current(intent.key)
            if current is not None and current.answer is not None:
                return current.answer
            if current is None or not self._live(current):
                refused = self._refusal(intent)
                if refused is not None:
                    return refused
                opened = self._open(intent, current)
                self.opened[intent.key] = opened.attempt
                return opened
            await asyncio.sleep(0)
        raise ClaimedElsewhereError(f"step {intent.key.step!r} is open under a live worker")

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        self._raise_error()
        call = self._call(key, answer.attempt)
        if call is None:
            raise LookupError(f"attempt {answer.attempt} of {key.step!r} was never opened")
        call.state, call.answer, call.cost_usd, call.error = "answered", answer, answer.cost_usd, None
        self._closed(key, answer.attempt)

    async def adopt(self, intent: CallIntent, answer: JournaledAnswer) -> JournaledAnswer:
        opened = await self.open(replace(intent, budgets=()))
        if isinstance(opened, JournaledAnswer):
            return opened
        assert isinstance(opened, Opened)
        adopted = replace(answer, attempt=opened.attempt)
        await self.answered(intent.key, adopted)
        return adopted

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        self._raise_error()
        self._closed(key, attempt)
        call = self._call(key, attempt)
        if call is None or call.state == "answered":
            return
        call.state, call.error = ("unknown" if billed else "failed"), error
        call.cost_usd = call.intent.cost_max_usd if billed else Decimal(0)

    async def disown(self, key: CallKey) -> None:
        self._raise_error()
        if key in self.opened:
            raise ClaimedElsewhereError(f"step {key.step!r} is open under this worker")
        for call in self.attempts(key):
            if call.state == "open" and call.worker_id == self.worker_id:
                call.state, call.cost_usd = "failed", Decimal(0)

    def _open(self, intent: CallIntent, dead: FakeCall | None) -> Opened:
        if dead is not None:
            dead.state, dead.cost_usd, dead.error = "unknown", dead.intent.cost_max_usd, DEAD_WORKER
            deaths = sum(call.error == DEAD_WORKER for call in self.attempts(intent.key))
            if deaths >= DEATHS_MAX:
                raise WorkersDiedError(f"{deaths} workers ended while they made the call")
        attempts = self.attempts(intent.key)
        attempts.append(FakeCall(intent=intent, worker_id=self.worker_id, opened_at=self.calls.now))
        return Opened(len(attempts))

    def _refusal(self, intent: CallIntent) -> Refused | None:
        refusals: list[Refused] = []
        for budget in intent.budgets:
            standing = self.calls.standing(budget, simulated=intent.simulated)
            said = verdict(budget, standing, intent.cost_max_usd)
            if said is not Verdict.FITS:
                started_at = window_start(budget.key.window, self.calls.now)
                refusals.append(
                    Refused(verdict=said, budget=budget, standing=standing, started_at=started_at)
                )
        # A cheaper call is tried before anything is stopped.
        return min(refusals, key=lambda refused: refused.verdict is not Verdict.STRAINED, default=None)

    def _closed(self, key: CallKey, attempt: int) -> None:
        if self.opened.get(key) == attempt:
            del self.opened[key]

    def _current(self, key: CallKey) -> FakeCall | None:
        """What counts of a call: its first answer, or else the intent that is open."""
        attempts = self.attempts(key)
        counting = [call for state in ("answered", "open") for call in attempts if call.state == state]
        return counting[0] if counting else None

    def _call(self, key: CallKey, attempt: int) -> FakeCall | None:
        attempts = self.attempts(key)
        return attempts[attempt - 1] if 1 <= attempt <= len(attempts) else None

    def _live(self, call: FakeCall) -> bool:
        return call.worker_id == self.worker_id or call.worker_id in self.calls.live

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error
