"""Pages that come at the same time are written together: each still gets what it would get alone."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from builders import a_document, a_task
from fixtures.broker import until
from fixtures.store import a_live_worker
from processors.ports import Claimed, PageVersion, Recorded, SlugTaken
from schemas.base import Outcome
from streams.store.database import Database
from streams.store.migrations import migrated
from streams.store.pages import PostgresPageIndex
from streams.store.publications import PostgresPublications

pytestmark = pytest.mark.integration

URL = "https://flights.example/page"


def a_page(number: int, content_hash: str = "a" * 64, slug: str | None = None) -> PageVersion:
    task = a_task(task_id=f"task-{number}")
    document = a_document(slug=slug or f"page-{number}", title=f"Page {number}")
    return PageVersion(task=task, revision=task.revision("v1"), document=document, content_hash=content_hash)


@pytest.fixture
async def one_connection(empty_database_url: str) -> AsyncIterator[Database]:
    async with migrated(empty_database_url) as database:
        yield database


async def test_a_taken_name_costs_the_others_of_its_group_nothing(database: Database) -> None:
    index = PostgresPageIndex(database)
    await index.reserve(a_task(task_id="first"), "page-3", "Page 7")
    tasks = [a_task(task_id=f"task-{number}") for number in range(10)]

    held = await asyncio.gather(
        *(index.reserve(task, f"page-{number}", f"Page {number}") for number, task in enumerate(tasks))
    )

    assert [*held[:3], *held[4:7], *held[8:]] == [{}] * 8
    assert (held[3], held[7]) == ({"slug": "first"}, {"title": "first"})
    rows = await database.fetch("SELECT task_id FROM page_names WHERE task_id IN ('task-3', 'task-7')")
    assert rows == []


async def test_a_task_that_comes_twice_at_once_does_not_lose_its_names_to_itself(database: Database) -> None:
    index = PostgresPageIndex(database)

    held = await asyncio.gather(*(index.reserve(a_task(), f"page-{n}", f"Page {n}") for n in range(5)))

    assert held == [{}] * 5
    rows = await database.fetch("SELECT DISTINCT kind FROM page_names ORDER BY kind")
    assert [row["kind"] for row in rows] == ["slug", "title"]


async def test_of_two_contents_of_a_page_at_once_the_one_that_has_the_claim_is_completed(
    database: Database,
) -> None:
    await a_live_worker(database, "worker-a")
    registry = PostgresPublications(database, "worker-a", wait_s_max=5.0)
    pages = [a_page(number, digit * 64) for number in range(20) for digit in "bca"]

    async def publish(page: PageVersion) -> object:
        claim = await registry.claim(page)
        if claim == Claimed():
            await registry.complete(page, URL)
        return claim

    claims = await asyncio.gather(*(publish(page) for page in pages))

    assert claims[::3] == [Claimed()] * 20
    assert set(claims[1::3]) == {Recorded(outcome=Outcome.PUBLISHED, url=URL, content_hash="b" * 64)}
    rows = await database.fetch("SELECT DISTINCT state, content_hash FROM publications")
    assert [tuple(row) for row in rows] == [("published", "b" * 64)]


async def test_of_two_new_pages_at_once_one_gets_the_slug(database: Database) -> None:
    registry = PostgresPublications(database, "worker-a", wait_s_max=5.0)
    pages = [a_page(number, slug="the-slug") for number in range(3)]

    claims = await asyncio.gather(*(registry.claim(page) for page in (*pages, a_page(9))))

    assert claims == [Claimed(), SlugTaken("task-0"), SlugTaken("task-0"), Claimed()]


async def test_what_a_page_reads_does_not_grow_with_its_site(one_connection: Database) -> None:
    index = PostgresPageIndex(one_connection)
    registry = PostgresPublications(one_connection, "worker-a")
    pages = [a_page(number) for number in range(300)]

    async def publish(page: PageVersion) -> None:
        await index.reserve(page.task, page.document.slug, page.document.title)
        assert await registry.claim(page) == Claimed()
        await registry.complete(page, URL)

    for start in range(0, len(pages), 10):
        await asyncio.gather(*(publish(page) for page in pages[start : start + 10]))

    await one_connection.fetch("SELECT pg_stat_force_next_flush()")
    [row] = await one_connection.fetch("SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables")
    assert row["sum"] < 10 * len(pages)


async def test_groups_of_two_workers_that_want_the_same_names_do_not_deadlock(
    database: Database,
) -> None:
    async def reserve(worker: str, numbers: list[int]) -> list[object]:
        index = PostgresPageIndex(database)
        tasks = [(number, a_task(task_id=f"{worker}-{number}")) for number in numbers]
        return await asyncio.gather(*(index.reserve(task, f"page-{n}", f"Page {n}") for n, task in tasks))

    async def both_wait() -> bool:
        rows = await database.fetch("SELECT pid FROM pg_locks WHERE NOT granted")
        return len({row["pid"] for row in rows}) == 2

    async with database.connection() as connection:
        blocker = connection.transaction()
        await blocker.start()
        await connection.execute("INSERT INTO page_names VALUES ('flights', 'slug', 'page-50', 'blocker')")
        orders = {"a": list(range(100)), "b": list(reversed(range(100)))}
        reserved = [asyncio.create_task(reserve(worker, numbers)) for worker, numbers in orders.items()]
        await until(both_wait)
        await blocker.rollback()
    held = await asyncio.gather(*reserved)

    [row] = await database.fetch("SELECT count(*) AS names FROM page_names")
    assert row["names"] == 200
    assert sum(names == {} for worker in held for names in worker) == 100
