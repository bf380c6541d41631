"""The publication registry: the same claims hold for the fake and for PostgreSQL."""

from decimal import Decimal

import pytest

from builders import a_document, a_task
from fakes.publications import FakePublications
from processors.ports import Claimed, PageVersion, PublicationRegistry, Recorded, SlugTaken
from schemas.base import Outcome
from streams.store.publications import PostgresPublications

URL = "https://flights.example/flights-cdg-fco"


def a_page(content_hash: str = "a" * 64, slug: str = "flights-cdg-fco", **changes: object) -> PageVersion:
    task = a_task(**changes)
    document = a_document(slug=slug)
    return PageVersion(task=task, revision=task.revision("v1"), document=document, content_hash=content_hash)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def registry(request: pytest.FixtureRequest) -> PublicationRegistry:
    if request.param == "fake":
        return FakePublications()
    return PostgresPublications(request.getfixturevalue("database"), "worker-a", wait_s_max=0.2)


async def test_a_new_page_is_claimed(registry: PublicationRegistry) -> None:
    assert await registry.claim(a_page()) == Claimed()


async def test_a_decided_submission_gets_the_same_outcome_again(registry: PublicationRegistry) -> None:
    await registry.claim(a_page())
    await registry.complete(a_page(), URL)
    await registry.complete(a_page(), URL)

    published = Recorded(outcome=Outcome.PUBLISHED, url=URL, content_hash="a" * 64)
    assert await registry.claim(a_page()) == published
    assert await registry.claim(a_page("b" * 64)) == published


async def test_another_submission_of_the_same_content_is_unchanged(registry: PublicationRegistry) -> None:
    await registry.claim(a_page())
    await registry.complete(a_page(), URL)

    unchanged = Recorded(outcome=Outcome.UNCHANGED, url=URL, content_hash="a" * 64)
    assert await registry.claim(a_page(batch_id="batch-2")) == unchanged
    assert await registry.claim(a_page("b" * 64, batch_id="batch-2")) == unchanged


async def test_changed_content_is_claimed_anew(registry: PublicationRegistry) -> None:
    await registry.claim(a_page())
    await registry.complete(a_page(), URL)

    assert await registry.claim(a_page("b" * 64, budget_usd=Decimal(1))) == Claimed()


async def test_a_slug_belongs_to_one_task_of_a_site(registry: PublicationRegistry) -> None:
    await registry.claim(a_page())

    assert await registry.claim(a_page(task_id="other")) == SlugTaken(a_task().task_id)
    assert await registry.claim(a_page(task_id="other", slug="other")) == Claimed()
