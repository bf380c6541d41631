"""Opening a call within its budgets: what the database's function `open_model_call` takes and answers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal

import asyncpg
import orjson

from processors.errors import StoreUnavailableError
from processors.gateway.budgets import Refused, Standing, Verdict
from processors.gateway.journal import CallIntent
from streams.store.budget_counters import PostgresBudgetCounters
from streams.store.database import Database

COUNTS_MAX: Final = 3
REFUSED: Final = "PB001"
"""SQLSTATE of a refusal that was found after the insert; the insert is taken back."""


class Reservations:
    """Opens intents: the intent and its reservation are one statement, so neither is there without the other.

    Args:
        database: where the ledger and its counters are.
        worker_id: this process.
    """

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._counters = PostgresBudgetCounters(database)

    async def open(self, intent: CallIntent) -> int | Refused | None:
        """Return the attempt that was opened now, or the refusal; None: an attempt is open or answered.

        Counters that are missing are made from the ledger first.

        Raises:
            StoreUnavailableError: the database is away, or somebody removes the counters again and again.
        """
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
