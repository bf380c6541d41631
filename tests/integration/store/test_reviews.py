"""Reviews are decided once."""

import pytest

from builders import a_document, a_review_decided, a_review_requested, a_task, a_validated
from streams.store.database import Database
from streams.store.reviews import PostgresReviews

pytestmark = pytest.mark.integration

SUBMISSION = a_task().submission_id


@pytest.fixture
def reviews(database: Database) -> PostgresReviews:
    return PostgresReviews(database)


async def test_a_held_page_comes_back_as_it_was(reviews: PostgresReviews) -> None:
    request = a_review_requested(held=a_validated(document=a_document(body="NUL \0 and é")))
    await reviews.put(request, None)

    [review] = await reviews.pending(10)

    assert (review.held, review.reason, review.decided) == (request.held, request.reason, None)


async def test_the_first_decision_counts(reviews: PostgresReviews) -> None:
    await reviews.put(a_review_requested(), None)

    assert await reviews.decide(a_review_decided())
    assert not await reviews.decide(a_review_decided(approved=False))

    review = await reviews.get(SUBMISSION)
    assert review is not None
    assert review.decided == a_review_decided()
    assert await reviews.pending(10) == []


async def test_nothing_is_decided_that_was_never_held(reviews: PostgresReviews) -> None:
    assert not await reviews.decide(a_review_decided())
    assert await reviews.get(SUBMISSION) is None


async def test_the_same_request_again_keeps_the_decision_and_another_page_asks_anew(
    reviews: PostgresReviews,
) -> None:
    await reviews.put(a_review_requested(), None)
    await reviews.decide(a_review_decided())

    await reviews.put(a_review_requested(), None)
    assert await reviews.pending(10) == []

    await reviews.put(a_review_requested(held=a_validated(document=a_document(body="Another."))), None)
    assert len(await reviews.pending(10)) == 1
