"""Which sites there are, and whether their pages changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """What tells one state of a site from the next.

    Attributes:
        pages: how many pages it has.
        newest: when one of them last changed.
    """

    pages: int
    newest: datetime


class PostgresSites:
    """The sites that something is published on.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self) -> Mapping[str, SiteState]:
        """Return each site's state.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT_STATES)
        return {row["site"]: SiteState(pages=row["pages"], newest=row["newest"]) for row in rows}


SELECT_STATES: Final = """
SELECT site, count(*) AS pages, max(updated_at) AS newest
FROM publications WHERE url IS NOT NULL GROUP BY site
"""
