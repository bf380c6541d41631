"""Bugs to plant: each a small patch of the real code, and the invariants of which one must notice it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from processors.gateway.journal import JournaledAnswer, Opened
from processors.gateway.journal_writer import JournalWriter
from processors.gateway.prices import Prices
from simulation.patching import patched
from streams.store import journal
from streams.store.journal import PostgresCallJournal

from .plan import Failpoint

LATE_S = 0.1

Patch = tuple[Any, str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A planted bug.

    Attributes:
        name: what is wrong.
        failpoint: where a kill brings it to light.
        caught_by: invariants of which at least one must be violated.
        patches: makes the patches from the code as it is.
    """

    name: str
    failpoint: Failpoint
    caught_by: frozenset[str]
    patches: Callable[[], Iterable[Patch]]


@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Run with that bug, in this process and its forks."""
    with contextlib.ExitStack() as stack:
        for owner, name, value in mutant.patches():
            stack.enter_context(patched(owner, name, value))
        yield


def _answered_before_it_is_durable() -> Iterator[Patch]:
    answered = PostgresCallJournal.answered

    async def later(self: Any, key: Any, answer: Any) -> None:
        async def write() -> None:
            await asyncio.sleep(LATE_S)
            await answered(self, key, answer)

        self.writing = asyncio.ensure_future(write())

    yield PostgresCallJournal, "answered", later


def _called_before_open() -> Iterator[Patch]:
    open_first = JournalWriter.open

    async def open_later(self: Any, intent: Any) -> Opened:
        async def opening() -> None:
            await asyncio.sleep(LATE_S)
            await open_first(self, intent)

        self.opening = asyncio.ensure_future(opening())
        return Opened(1)

    yield JournalWriter, "open", open_later


def _unknown_outcomes_are_free() -> Iterator[Patch]:
    yield journal, "BOOK_UNKNOWN", journal.BOOK_UNKNOWN.replace("cost_usd = cost_max_usd", "cost_usd = 0")


def _unknown_outcomes_are_failures() -> Iterator[Patch]:
    free = "state = 'failed', cost_usd = 0"
    told = journal.BOOK_UNKNOWN.replace("state = 'unknown', cost_usd = cost_max_usd", free)
    yield journal, "BOOK_UNKNOWN", told


def _answers_are_not_looked_for() -> Iterator[Patch]:
    """Neither by `find` nor by `open`: each of them alone is enough to pay once."""
    open_next = PostgresCallJournal.open

    async def find(_self: Any, _key: Any, _unwanted: Any) -> None:
        return None

    async def open_anew(self: Any, intent: Any) -> Any:
        opened = await open_next(self, intent)
        if isinstance(opened, JournaledAnswer):
            await self._database.fetch(FORGET_ANSWER, intent.key.revision, intent.key.step)
            return await open_next(self, intent)
        return opened

    yield PostgresCallJournal, "find", find
    yield PostgresCallJournal, "open", open_anew


def _dead_intents_are_taken_over() -> Iterator[Patch]:
    find_first = PostgresCallJournal.find
    open_next = PostgresCallJournal.open

    async def open_again(self: Any, intent: Any) -> Any:
        await find_first(self, intent.key)
        taken = await self._database.fetch(TAKE_OVER, intent.key.revision, intent.key.step, self._worker_id)
        return Opened(taken[0]["attempt"]) if taken else await open_next(self, intent)

    yield PostgresCallJournal, "open", open_again


def _answers_cost_nothing() -> Iterator[Patch]:
    yield Prices, "price", lambda *_: Decimal(0)


def _answers_cost_their_worst_case() -> Iterator[Patch]:
    price = Prices.price
    yield Prices, "price", lambda *asked: 2 * price(*asked)


def _mutant(patches: Callable[[], Iterable[Patch]], failpoint: Failpoint, *caught_by: str) -> Mutant:
    name = patches.__name__.removeprefix("_")
    return Mutant(name=name, failpoint=failpoint, caught_by=frozenset(caught_by), patches=patches)


FORGET_ANSWER = """
UPDATE model_calls SET state = 'unknown', text = NULL WHERE revision = $1 AND step = $2 AND state = 'answered'
"""

TAKE_OVER = """
UPDATE model_calls SET worker_id = $3
WHERE revision = $1 AND step = $2 AND state = 'open' AND NOT worker_is_live(worker_id)
RETURNING attempt
"""

MUTANTS = (
    _mutant(_answered_before_it_is_durable, Failpoint.BEFORE_COMMIT, "bought_again"),
    _mutant(_answers_are_not_looked_for, Failpoint.BEFORE_COMMIT, "bought_again"),
    _mutant(_called_before_open, Failpoint.AFTER_RESERVE, "called_before_intent", "requests_without_row"),
    _mutant(_unknown_outcomes_are_free, Failpoint.AFTER_ANSWER, "booked_below"),
    _mutant(_unknown_outcomes_are_failures, Failpoint.AFTER_ANSWER, "ledger_differs"),
    _mutant(_dead_intents_are_taken_over, Failpoint.AFTER_ANSWER, "requests_without_row"),
    _mutant(_answers_cost_nothing, Failpoint.BEFORE_COMMIT, "booked_below"),
    _mutant(_answers_cost_their_worst_case, Failpoint.BEFORE_COMMIT, "ledger_differs"),
)
