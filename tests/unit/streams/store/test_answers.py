"""Answers are written in groups, and each who waits hears how it went."""

import asyncio
from typing import Any, cast

import pytest

from fakes.journaled_answer import a_journaled_answer
from processors.errors import StoreUnavailableError
from processors.gateway.journal import CallKey
from streams.store.answers import AnswerWriter
from streams.store.database import Database
from streams.store.groups import GROUP_MAX


class SlowDatabase:
    """Answers a statement when told to; `groups` has how many rows each one wrote."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.unopened: set[str] = set()

    async def fetch(self, _sql: str, *columns: list[Any]) -> list[dict[str, Any]]:
        revisions, steps, attempts, *_ = columns
        self.groups.append(len(revisions))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        rows = zip(revisions, steps, attempts, strict=True)
        return [{"revision": r, "step": s, "attempt": a} for r, s, a in rows if r not in self.unopened]


def started(writer: AnswerWriter, names: list[str]) -> list["asyncio.Task[bool]"]:
    keys = [CallKey(revision=name, step="write") for name in names]
    return [asyncio.create_task(writer.write(key, a_journaled_answer())) for key in keys]


async def test_answers_that_come_while_one_is_written_go_together_in_the_next_statement() -> None:
    database = SlowDatabase()
    writer = AnswerWriter(cast("Database", database))
    first = started(writer, ["first"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    later = started(writer, [f"r{i}" for i in range(50)])
    await asyncio.sleep(0)
    database.gate.set()

    assert all(await asyncio.gather(*first, *later))
    assert database.groups == [1, 50]


async def test_a_group_is_bounded() -> None:
    database = SlowDatabase()
    database.gate.set()
    writer = AnswerWriter(cast("Database", database))

    await asyncio.gather(*started(writer, [f"r{i}" for i in range(GROUP_MAX + 1)]))

    assert database.groups == [GROUP_MAX, 1]


async def test_a_failure_reaches_everyone_who_waits_and_the_next_write_is_tried() -> None:
    database = SlowDatabase()
    database.gate.set()
    database.error = StoreUnavailableError("away")
    writer = AnswerWriter(cast("Database", database))

    failed = await asyncio.gather(*started(writer, ["a", "b"]), return_exceptions=True)
    database.error = None

    assert [type(each) for each in failed] == [StoreUnavailableError, StoreUnavailableError]
    assert await writer.write(CallKey(revision="a", step="write"), a_journaled_answer())


async def test_an_attempt_that_was_never_opened_is_told_apart() -> None:
    database = SlowDatabase()
    database.gate.set()
    database.unopened = {"b"}
    writer = AnswerWriter(cast("Database", database))

    assert await asyncio.gather(*started(writer, ["a", "b"])) == [True, False]


async def test_a_waiter_that_is_cancelled_does_not_disturb_the_others() -> None:
    database = SlowDatabase()
    writer = AnswerWriter(cast("Database", database))
    gone, stays = started(writer, ["gone", "stays"])
    await asyncio.sleep(0)

    gone.cancel()
    database.gate.set()

    assert await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
