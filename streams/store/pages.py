"""Names of a site's pages, and the published pages themselves: tables `page_names` and `publications`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import orjson

from processors.ports import PageIndex
from schemas.task import Task
from streams.store.database import Database, Row
from streams.store.groups import Groups
from streams.store.text import storable

PAGE_ROWS: Final = 500
TAKEN: Final = "PN001"
"""SQLSTATE of names that were not reserved because one of them is another task's."""


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


class _Names(NamedTuple):
    """The columns of RESERVE, in their order."""

    site: str
    task_id: str
    slug: str
    title: str


class PostgresPageIndex(PageIndex):
    """Each name is a row that belongs to the first task that reserved it.

    Names are reserved in groups: one statement and one flush of the disk for all that came meanwhile.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups = Groups(self._reserve_group)

    async def reserve(self, task: Task, slug: str, title: str) -> Mapping[str, str]:
        """Reserve both names in place of the task's earlier ones, or neither; see the port."""
        return await self._groups.put(_Names(task.target.site, task.task_id, slug, _folded(title)))

    async def _reserve_group(self, group: list[_Names]) -> list[Mapping[str, str]]:
        """Reserve all at once; where a name is taken, or a task comes twice, each page by itself."""
        if len({(names.site, names.task_id) for names in group}) == len(group):
            try:
                await self._database.fetch(RESERVE, *map(list, zip(*group, strict=True)))
            except asyncpg.PostgresError as error:
                if error.sqlstate != TAKEN:
                    raise
                if len(group) == 1:
                    return [orjson.loads(error.detail or "")]
            else:
                return [{} for _ in group]
        alone = await asyncio.gather(*(self._reserve_group([names]) for names in group))
        return [holders for [holders] in alone]

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


RESERVE: Final = "SELECT reserve_page_names($1, $2, $3, $4)"

# A page that is being replaced still stands at its address.
SELECT_PUBLISHED: Final = """
SELECT task_id, slug, title, description, url, simulated, updated_at
FROM publications WHERE site = $1 AND slug > $2 AND url IS NOT NULL
ORDER BY slug LIMIT $3
"""
