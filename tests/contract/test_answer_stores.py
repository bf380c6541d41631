"""The answer cache's store: the same claims hold for the fake and for PostgreSQL."""

from decimal import Decimal

import pytest

from fakes.answer_store import FakeAnswerStore
from fakes.cached_answer import a_cache_key, a_cached_answer
from processors.gateway.cached_answers import AnswerStore
from streams.store.cached_answers import PostgresAnswerStore

KEY = a_cache_key()


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> AnswerStore:
    if request.param == "fake":
        return FakeAnswerStore()
    return PostgresAnswerStore(request.getfixturevalue("database"))


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
