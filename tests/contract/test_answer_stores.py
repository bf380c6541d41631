"""The answer cache's store: the same claims hold for the fake and for PostgreSQL."""

from decimal import Decimal

import pytest

from fakes.answer_store import FakeAnswerStore
from fakes.cached_answer import a_cache_key, a_cached_answer
from fixtures.store import a_live_worker
from processors.gateway.cached_answers import AnswerStore
from streams.store.cached_answers import PostgresAnswerStore
from streams.store.database import Database

KEY = a_cache_key()


FLIGHT = "bulk/question"


class FakeCrew:
    """The stores of two workers, the first of which may end."""

    def __init__(self) -> None:
        self.one = FakeAnswerStore("worker-1")
        self.other = FakeAnswerStore("worker-2", beside=self.one)

    async def begin(self) -> None:
        pass

    async def end(self) -> None:
        self.one.ended.add("worker-1")


class PostgresCrew:
    """The same on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.one, self.other = (PostgresAnswerStore(database, name) for name in ("worker-1", "worker-2"))

    async def begin(self) -> None:
        self._lease = await a_live_worker(self._database, "worker-1")
        await a_live_worker(self._database, "worker-2")

    async def end(self) -> None:
        await self._lease.release()


Crew = FakeCrew | PostgresCrew


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def crew(request: pytest.FixtureRequest) -> Crew:
    if request.param == "fake":
        return FakeCrew()
    return PostgresCrew(request.getfixturevalue("database"))


@pytest.fixture
def store(crew: Crew) -> AnswerStore:
    return crew.one


async def test_a_question_that_was_never_answered_has_none(store: AnswerStore) -> None:
    assert await store.find(KEY) is None


async def test_an_answer_is_found_as_it_was_put(store: AnswerStore) -> None:
    await store.put(KEY, a_cached_answer())

    assert await store.find(KEY) == a_cached_answer()


async def test_questions_of_other_digests_share_nothing(store: AnswerStore) -> None:
    await store.put(KEY, a_cached_answer())

    assert await store.find(a_cache_key("1" * 64)) is None


async def test_a_later_answer_takes_the_place_of_the_earlier_one(store: AnswerStore) -> None:
    later = a_cached_answer("later", response_model=None, simulated=False, cost_usd=Decimal(2))

    await store.put(KEY, a_cached_answer())
    await store.put(KEY, later)

    assert await store.find(KEY) == later


async def test_one_worker_leads_a_flight_until_it_lands(crew: Crew) -> None:
    await crew.begin()

    assert await crew.one.lead(FLIGHT)
    assert not await crew.other.lead(FLIGHT)
    assert await crew.one.lead(FLIGHT)  # which task of a worker leads is the worker's own affair
    assert await crew.other.lead("bulk/another")
    await crew.other.land(FLIGHT)
    assert not await crew.other.lead(FLIGHT)
    await crew.one.land(FLIGHT)
    assert await crew.other.lead(FLIGHT)
    assert not await crew.one.lead(FLIGHT)


async def test_a_worker_whose_lease_is_over_leads_no_more(crew: Crew) -> None:
    await crew.begin()
    assert await crew.one.lead(FLIGHT)

    await crew.end()

    assert await crew.other.lead(FLIGHT)
    await crew.one.land(FLIGHT)
    assert await crew.other.lead(FLIGHT)
