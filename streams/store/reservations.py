"""Opening a call within its budgets: what the database's function `open_model_call` takes and answers."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import asyncpg
import orjson

from processors.errors import StoreUnavailableError
from processors.gateway.budgets import Budget, Refused, Standing, Verdict
from processors.gateway.journal import CallIntent, CallKey
from streams.store.budget_counters import PostgresBudgetCounters
from streams.store.database import Database
from streams.store.groups import Groups

COUNTS_MAX: Final = 3
REFUSED: Final = "PB001"
"""SQLSTATE of a refusal that was found after the insert; the insert is taken back."""

_Opened: TypeAlias = int | Refused | None


class Reservations:
    """Opens intents: the intent and its reservation are one statement, so neither is there without the other.

    A counter is locked from its update to the flush of the disk, so calls on one budget begin one after the
    other. Those of one worker begin in groups: one statement and one flush for all that came meanwhile. Only
    where a group comes near a limit is each of its calls looked at by itself.

    Args:
        database: where the ledger and its counters are.
        worker_id: this process.
    """

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._counters = PostgresBudgetCounters(database)
        self._groups = Groups(self._open_group)
        self._grouped: Counter[CallKey] = Counter()

    def under_way(self, key: CallKey) -> bool:
        """Whether that call is being opened with its group, though its caller may have gone."""
        return key in self._grouped

    async def open(self, intent: CallIntent) -> int | Refused | None:
        """Return the attempt that was opened now, or the refusal; None: an attempt is open or answered.

        Counters that are missing are made from the ledger first.

        Raises:
            StoreUnavailableError: the database is away, or somebody removes the counters again and again.
        """
        self._grouped[intent.key] += 1
        return await self._groups.put(intent)

    async def _open_group(self, intents: list[CallIntent]) -> Sequence[_Opened | BaseException]:
        try:
            with contextlib.suppress(_NearLimitError):
                return await self._open_all(intents)
            # All are waited for: one that is opened after its caller has heard of an error belongs to nobody.
            return await asyncio.gather(*map(self._open_one, intents), return_exceptions=True)
        finally:
            self._grouped -= Counter(intent.key for intent in intents)

    async def _open_all(self, intents: list[CallIntent]) -> list[_Opened]:
        try:
            rows = await self._database.fetch(OPEN_GROUP, *_group_arguments(intents, self._worker_id))
        except asyncpg.PostgresError as error:
            if error.sqlstate != REFUSED:
                raise
            raise _NearLimitError from error
        made = {(row["revision"], row["step"]): row["attempt"] for row in rows}
        # Of two that open the same call in one group the first one has it.
        return [made.pop((intent.key.revision, intent.key.step), None) for intent in intents]

    async def _open_one(self, intent: CallIntent) -> _Opened:
        for _ in range(COUNTS_MAX):
            opened = await self._open(intent)
            if opened != "uncounted":
                return opened
            await self._counters.count({(b.key.scope, b.key.window) for b in intent.budgets})
        raise StoreUnavailableError(
            f"the counters of budgets were removed {COUNTS_MAX} times in a row, expected them to stay"
        )

    async def _open(self, intent: CallIntent) -> int | Refused | Literal["uncounted"] | None:
        try:
            row = await self._database.fetch_row(OPEN, *_arguments(intent, self._worker_id))
        except asyncpg.PostgresError as error:
            if error.sqlstate != REFUSED:
                raise
            return _refused(intent, error.detail or "")
        if row is None or row["refusal"] is None:
            return None if row is None else row["attempt"]
        return _refused(intent, row["refusal"])


class _NearLimitError(Exception):
    """One of a group's budgets may be passed by it: nothing was opened."""


def _group_arguments(intents: list[CallIntent], worker_id: str) -> tuple[object, ...]:
    rows = [_arguments(intent, worker_id)[:15] for intent in intents]
    revisions, steps, _, *columns = (list(column) for column in zip(*rows, strict=True))
    budgets = {
        (b.key.scope, b.key.window, b.key.name, intent.simulated, _nearest_usd(b))
        for intent in intents
        for b in intent.budgets
    }
    return (revisions, steps, worker_id, *columns, *([b[n] for b in budgets] for n in range(5)))


def _nearest_usd(budget: Budget) -> Decimal | None:
    """Return the limit that is met first: a group that is booked below it has no call that is refused."""
    return min((usd for usd in (budget.hard_usd, budget.soft_usd) if usd is not None), default=None)


def _arguments(intent: CallIntent, worker_id: str) -> tuple[object, ...]:
    task, budgets = intent.task, intent.budgets
    return (
        *(intent.key.revision, intent.key.step, worker_id),
        *(task.task_id, task.submission_id, task.batch_id, task.tenant, task.team, task.feature),
        *(intent.recipe, intent.provider, intent.model, intent.simulated, intent.cost_max_usd),
        intent.degraded_by,
        *([b.key.scope for b in budgets], [b.key.window for b in budgets], [b.key.name for b in budgets]),
        *([b.hard_usd for b in budgets], [b.soft_usd for b in budgets]),
    )


def _refused(intent: CallIntent, told: str) -> Refused | Literal["uncounted"]:
    found = orjson.loads(told)
    if found["verdict"] == "uncounted":
        return "uncounted"
    return Refused(
        verdict=Verdict(found["verdict"]),
        budget=intent.budgets[found["budget"] - 1],
        standing=Standing(
            settled_usd=Decimal(found["settled_usd"]), reserved_usd=Decimal(found["reserved_usd"])
        ),
        started_at=datetime.fromtimestamp(found["started_at"], UTC),
    )


OPEN: Final = f"SELECT attempt, refusal FROM open_model_call({', '.join(f'${n}' for n in range(1, 21))})"  # noqa: S608 - constant

OPEN_GROUP: Final = f"SELECT * FROM open_model_calls({', '.join(f'${n}' for n in range(1, 21))})"  # noqa: S608 - constant
