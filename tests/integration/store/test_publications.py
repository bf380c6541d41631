"""Claims of pages under concurrency and death: what only the real registry can show."""

import asyncio

import pytest

from builders import a_document, a_task
from fixtures.store import a_live_worker
from processors.errors import ClaimedElsewhereError
from processors.ports import Claimed, PageVersion, Recorded, SlugTaken
from schemas.base import Outcome
from streams.store.database import Database
from streams.store.pages import PostgresPageIndex
from streams.store.publications import PostgresPublications

pytestmark = pytest.mark.integration

URL = "https://flights.example/flights-cdg-fco"


def a_page(content_hash: str = "a" * 64, slug: str = "flights-cdg-fco", **changes: object) -> PageVersion:
    task = a_task(**changes)
    document = a_document(slug=slug)
    return PageVersion(task=task, revision=task.revision("v1"), document=document, content_hash=content_hash)


async def a_registry(database: Database, worker_id: str, **bounds: float) -> PostgresPublications:
    await a_live_worker(database, worker_id)
    return PostgresPublications(database, worker_id, **bounds)


async def test_one_of_20_claims_of_a_page_gets_it_and_the_rest_its_outcome(database: Database) -> None:
    registries = [await a_registry(database, f"worker-{number}", wait_s_max=20.0) for number in range(2)]

    async def publish(registry: PostgresPublications) -> Claimed | Recorded | SlugTaken:
        claim = await registry.claim(a_page())
        if claim == Claimed():
            await asyncio.sleep(0.05)
            await registry.complete(a_page(), URL)
        return claim

    claims = await asyncio.gather(*(publish(registries[number % 2]) for number in range(20)))

    published = Recorded(outcome=Outcome.PUBLISHED, url=URL, content_hash="a" * 64)
    assert claims.count(Claimed()) == 1
    assert claims.count(published) == 19


async def test_a_page_never_loses_its_slug_to_itself(database: Database) -> None:
    registries = [await a_registry(database, f"worker-{number}", wait_s_max=20.0) for number in range(2)]
    pages = [a_page(task_id=f"task-{number}", slug=f"page-{number}") for number in range(500)]

    async def publish(registry: PostgresPublications, page: PageVersion) -> object:
        claim = await registry.claim(page)
        if claim == Claimed():
            await registry.complete(page, URL)
        return claim

    claims = await asyncio.gather(*(publish(registry, page) for page in pages for registry in registries))

    assert not [claim for claim in claims if isinstance(claim, SlugTaken)]
    assert claims.count(Claimed()) == len(pages)


async def test_one_of_20_submissions_of_the_same_new_content_writes_it(database: Database) -> None:
    registry = await a_registry(database, "worker-a", wait_s_max=20.0)
    await registry.claim(a_page())
    await registry.complete(a_page(), URL)
    pages = [a_page("b" * 64, batch_id=f"batch-{number}") for number in range(2, 22)]

    async def publish(page: PageVersion) -> object:
        claim = await registry.claim(page)
        if claim == Claimed():
            await registry.complete(page, URL)
        return claim

    claims = await asyncio.gather(*(publish(page) for page in pages))

    assert claims.count(Claimed()) == 1
    assert claims.count(Recorded(outcome=Outcome.UNCHANGED, url=URL, content_hash="b" * 64)) == 19


async def test_a_live_claim_is_waited_for_but_not_for_ever(database: Database) -> None:
    await (await a_registry(database, "worker-a")).claim(a_page())
    other = await a_registry(database, "worker-b", wait_s_max=0.2)

    with pytest.raises(ClaimedElsewhereError, match="live worker"):
        await other.claim(a_page())


async def test_a_dead_workers_claim_is_taken_over(database: Database) -> None:
    lease = await a_live_worker(database, "worker-a")
    await PostgresPublications(database, "worker-a").claim(a_page())
    await lease.release()

    assert await (await a_registry(database, "worker-b", wait_s_max=0.2)).claim(a_page()) == Claimed()


async def test_a_claim_whose_sink_call_failed_is_free_after_a_while(database: Database) -> None:
    registry = await a_registry(database, "worker-a", wait_s_max=5.0, claim_s_max=0.3)
    await registry.claim(a_page())

    assert await registry.claim(a_page()) == Claimed()


async def test_a_late_completion_leaves_a_newer_claim_alone(database: Database) -> None:
    registry = await a_registry(database, "worker-a", claim_s_max=0.0, wait_s_max=5.0)
    await registry.claim(a_page())
    await registry.claim(a_page("b" * 64, batch_id="batch-2"))

    await registry.complete(a_page(), URL)

    [row] = await database.fetch("SELECT state, content_hash FROM publications")
    assert (row["state"], row["content_hash"]) == ("publishing", "b" * 64)
    assert await registry.claim(a_page()) == Recorded(
        outcome=Outcome.PUBLISHED, url=URL, content_hash="a" * 64
    )


async def test_a_page_cannot_move_to_a_slug_that_is_taken(database: Database) -> None:
    registry = await a_registry(database, "worker-a", wait_s_max=0.2)
    await registry.claim(a_page(slug="first"))
    await registry.complete(a_page(slug="first"), URL)
    await registry.claim(a_page(task_id="other", slug="second"))

    assert await registry.claim(a_page(slug="second", batch_id="batch-2")) == SlugTaken("other")


async def test_a_sites_published_pages_come_in_slug_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.store.pages.PAGE_ROWS", 3)
    registry = await a_registry(database, "worker-a")
    for number in (3, 1, 4, 2, 0, 5, 6):
        page = a_page(slug=f"page-{number}", task_id=f"task-{number}")
        await registry.claim(page)
        if number < 6:
            await registry.complete(page, f"https://flights.example/page-{number}")

    pages = [page async for page in PostgresPageIndex(database).published("flights")]

    assert [page.slug for page in pages] == [f"page-{number}" for number in range(6)]
    assert pages[0].url == "https://flights.example/page-0"


async def test_names_are_reserved_both_or_none_and_replace_the_earlier_ones(database: Database) -> None:
    index = PostgresPageIndex(database)
    task, other, third = a_task(), a_task(task_id="other"), a_task(task_id="third")
    await index.reserve(task, "a", "Title A")

    assert await index.reserve(other, "b", "Title A") == {"title": task.task_id}
    assert await index.reserve(third, "b", "Title B") == {}
    assert await index.reserve(task, "c", "Title C") == {}
    assert await index.reserve(other, "a", "Title A") == {}


async def test_one_of_20_tasks_gets_a_title(database: Database) -> None:
    index = PostgresPageIndex(database)
    tasks = [a_task(task_id=f"task-{number}") for number in range(20)]

    held = await asyncio.gather(*(index.reserve(task, task.task_id, "The title") for task in tasks))

    assert held.count({}) == 1
    assert len({owner for names in held for owner in names.values()}) == 1
