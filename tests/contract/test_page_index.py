"""The page index: the same claims hold for the fake and for PostgreSQL."""

import pytest

from builders import a_task
from fakes.page_index import FakePageIndex
from processors.ports import PageIndex
from schemas.task import PublishTarget
from streams.store.pages import PostgresPageIndex

TASK = a_task()
OTHER = a_task(task_id="other")


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def index(request: pytest.FixtureRequest) -> PageIndex:
    return (
        FakePageIndex() if request.param == "fake" else PostgresPageIndex(request.getfixturevalue("database"))
    )


async def test_free_names_are_reserved_and_stay_ours(index: PageIndex) -> None:
    assert await index.reserve(TASK, "a", "Title A") == {}
    assert await index.reserve(TASK, "a", "Title A") == {}


async def test_names_that_another_task_holds_are_named_with_their_owner(index: PageIndex) -> None:
    await index.reserve(TASK, "a", "Title A")

    assert await index.reserve(OTHER, "a", "Title A") == {"slug": TASK.task_id, "title": TASK.task_id}
    assert await index.reserve(OTHER, "b", "Title A") == {"title": TASK.task_id}
    assert await index.reserve(OTHER, "a", "Title B") == {"slug": TASK.task_id}


async def test_titles_are_compared_without_case_or_extra_spaces(index: PageIndex) -> None:
    await index.reserve(TASK, "a", "Title  A")

    assert await index.reserve(OTHER, "b", " title a") == {"title": TASK.task_id}


async def test_sites_share_no_names(index: PageIndex) -> None:
    elsewhere = a_task(task_id="other", target=PublishTarget(site="elsewhere", slug=None))
    await index.reserve(TASK, "a", "Title A")

    assert await index.reserve(elsewhere, "a", "Title A") == {}
