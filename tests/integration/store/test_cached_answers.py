"""The table of the answer cache stays small, and its view tells what it spared."""

from decimal import Decimal

import pytest

from builders import NOW, a_task
from fakes.cached_answer import LONG_AGO, a_cache_key, a_cached_answer
from fakes.journaled_answer import a_journaled_answer
from fixtures.store import a_live_worker
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer
from schemas.usage import CacheResult, Usage
from streams.store.cached_answers import SWEPT_MAX, PostgresAnswerStore
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal

pytestmark = pytest.mark.integration


async def rows(database: Database) -> int:
    return int((await database.fetch("SELECT count(*) AS n FROM answer_cache"))[0]["n"])


async def test_each_write_deletes_some_of_what_is_over_and_nothing_else(database: Database) -> None:
    store = PostgresAnswerStore(database, "worker-1")
    await database.fetch(  # as they were left by writes of long ago
        "INSERT INTO answer_cache SELECT lpad(n::text, 64, '0'), 't', 'r', 's', '', 'p', 'm', NULL, true,"
        " '{}', 0, $1, $1, $1 FROM generate_series(1, $2) AS n",
        LONG_AGO,
        2 * SWEPT_MAX + 1,
    )

    left = []
    for number in range(3):
        await store.put(a_cache_key(f"{number}" * 64), a_cached_answer())
        left.append(await rows(database) - number - 1)

    assert left == [SWEPT_MAX + 1, 1, 0]


async def test_an_answer_that_is_over_may_be_written_anew(database: Database) -> None:
    store = PostgresAnswerStore(database, "worker-1")
    await store.put(a_cache_key("1" * 64), a_cached_answer())
    await database.fetch("UPDATE answer_cache SET kept_until = $1", LONG_AGO)

    await store.put(a_cache_key("1" * 64), a_cached_answer("anew"))

    assert await store.find(a_cache_key("1" * 64)) == a_cached_answer("anew")


async def test_text_that_postgresql_cannot_hold_is_made_storable(database: Database) -> None:
    store = PostgresAnswerStore(database, "worker-1")

    await store.put(a_cache_key(), a_cached_answer("nul \0"))

    found = await store.find(a_cache_key())
    assert found is not None
    assert found.text == "nul \N{REPLACEMENT CHARACTER}"


async def test_the_view_tells_hits_and_what_they_saved(database: Database) -> None:
    journal = PostgresCallJournal(database, "worker-1")
    answers = {
        CacheResult.MISS: a_journaled_answer(cache=CacheResult.MISS),
        CacheResult.HIT: a_hit(CacheResult.HIT),
        CacheResult.STALE: a_hit(CacheResult.STALE),
    }
    for number, (result, answer) in enumerate(answers.items()):
        intent = an_intent(number)
        if result is CacheResult.MISS:
            await journal.open(intent)
            await journal.answered(intent.key, answer)
        else:
            await journal.adopt(intent, answer)

    [row] = await database.fetch("SELECT * FROM public_answer_cache")

    assert (row["tenant"], row["recipe"], row["step"]) == ("acme", "r@1", "write")
    assert (row["hits"], row["stale"], row["misses"]) == (1, 1, 1)
    assert (row["hit_ratio"], row["saved_usd"]) == (Decimal("0.6667"), Decimal("0.4"))


def a_hit(result: CacheResult) -> JournaledAnswer:
    return a_journaled_answer(
        usage=Usage(), cost_usd=Decimal(0), saved_usd=Decimal("0.2"), answered_at=NOW, cache=result
    )


def an_intent(number: int) -> CallIntent:
    return CallIntent(
        key=CallKey(revision=f"{number:020}", step="write"),
        task=a_task(),
        recipe="r@1",
        provider="simulated",
        model="small-1",
        simulated=True,
        cost_max_usd=Decimal(0),
    )


async def test_who_leads_for_too_long_does_not_lead_alone(database: Database) -> None:
    for name in ("worker-1", "worker-2"):
        await a_live_worker(database, name)
    slow, other = (PostgresAnswerStore(database, name) for name in ("worker-1", "worker-2"))
    impatient = PostgresAnswerStore(database, "worker-2", lead_s_max=0)

    assert await slow.lead("q")
    assert not await other.lead("q")
    assert await impatient.lead("q")


async def test_flights_of_forgotten_workers_are_forgotten(database: Database) -> None:
    lease = await a_live_worker(database, "worker-1")
    assert await PostgresAnswerStore(database, "worker-1").lead("q")
    await database.fetch("UPDATE workers SET lease_until = $1", LONG_AGO)

    await a_live_worker(database, "worker-2")

    assert await database.fetch("SELECT flight FROM answer_flights") == []
    await lease.release()
