"""Calls that are opened together: each hears of its own, and none is opened after its caller has gone."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import asyncpg

from fakes.budget_callers import an_intent
from processors.errors import StoreUnavailableError
from processors.gateway.journal import CallIntent
from streams.store.database import Database
from streams.store.reservations import OPEN_GROUP, REFUSED, Reservations


class NearLimitError(asyncpg.PostgresError):
    sqlstate = REFUSED


class Crowded:
    """A group comes near its limit; then the first call meets an error, and the others wait for a lock."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    async def fetch(self, sql: str, *_arguments: Any) -> list[Any]:
        assert sql == OPEN_GROUP
        raise NearLimitError

    async def fetch_row(self, _sql: str, revision: str, *_arguments: Any) -> dict[str, Any]:
        if revision == "r0":
            raise StoreUnavailableError("its connection broke")
        await asyncio.sleep(0.01)
        self.opened.append(revision)
        return {"attempt": 1, "refusal": None}


async def test_an_error_of_one_call_is_not_its_neighbours() -> None:
    database = Crowded()
    reservations = Reservations(cast("Database", database), "worker-1")

    def an_opening(number: int) -> CallIntent:
        intent = an_intent("1", f"{number}")
        return replace(intent, key=replace(intent.key, revision=f"r{number}"))

    first, *others = await asyncio.gather(
        *(reservations.open(an_opening(number)) for number in range(3)), return_exceptions=True
    )

    assert isinstance(first, StoreUnavailableError)
    assert (others, database.opened) == ([1, 1], ["r1", "r2"])
    assert not any(reservations.under_way(an_opening(number).key) for number in range(3))
