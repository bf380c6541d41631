"""Names of a site's pages, and the published pages themselves: tables `page_names` and `publications`."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from processors.ports import PageIndex
from schemas.task import Task
from streams.store.database import Database, Row
from streams.store.text import storable

PAGE_ROWS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePage:
    """A page that the site has.

    Attributes:
        task_id: whose page it is.
        slug: its address inside the site.
        title: plain text.
        description: plain text, may be empty.
        url: where it is.
        simulated: whether the simulated provider wrote any part.
        updated_at: when its content last changed.
    """

    task_id: str
    slug: str
    title: str
    description: str
    url: str
    simulated: bool
    updated_at: datetime


class PostgresPageIndex(PageIndex):
    """Each name is a row that belongs to the first task that reserved it.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, task: Task, slug: str, title: str) -> Mapping[str, str]:
        """Reserve both names in place of the task's earlier ones, or neither; see the port."""
        site, task_id = task.target.site, task.task_id
        names = (["slug", "title"], [slug, _folded(title)])
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(INSERT_NAMES, site, task_id, *names)
                rows = await connection.fetch(SELECT_HOLDERS, site, task_id, *names)
                if not rows:
                    await connection.execute(DELETE_OTHERS, site, task_id, *names)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if rows else transaction.commit())
        return {row["kind"]: row["task_id"] for row in rows}

    async def published(self, site: str) -> AsyncIterator[SitePage]:
        """Yield the site's pages in slug order, PAGE_ROWS at a time: memory does not grow with the site.

        Raises:
            StoreUnavailableError: the database is away.
        """
        after, rows = "", await self._database.fetch(SELECT_PUBLISHED, site, "", PAGE_ROWS)
        while rows:  # each round moves `after` forward over a finite table
            for row in rows:
                yield _page(row)
            after = rows[-1]["slug"]
            rows = await self._database.fetch(SELECT_PUBLISHED, site, after, PAGE_ROWS)


def _folded(title: str) -> str:
    """Titles that differ in case or spaces only are the same to a reader."""
    return storable(" ".join(title.casefold().split()))


def _page(row: Row) -> SitePage:
    return SitePage(**dict(row))


# Everyone takes a slug before a title: two tasks never wait for each other.
INSERT_NAMES: Final = """
INSERT INTO page_names (site, kind, value, task_id)
SELECT $1, kind, value, $2 FROM unnest($3::text[], $4::text[]) AS names (kind, value)
ORDER BY kind
ON CONFLICT DO NOTHING
"""

SELECT_HOLDERS: Final = """
SELECT kind, task_id FROM page_names
WHERE site = $1 AND task_id <> $2 AND (kind, value) IN (SELECT * FROM unnest($3::text[], $4::text[]))
"""

DELETE_OTHERS: Final = """
DELETE FROM page_names
WHERE site = $1 AND task_id = $2 AND (kind, value) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]))
"""

# A page that is being replaced still stands at its address.
SELECT_PUBLISHED: Final = """
SELECT task_id, slug, title, description, url, simulated, updated_at
FROM publications WHERE site = $1 AND slug > $2 AND url IS NOT NULL
ORDER BY slug LIMIT $3
"""
