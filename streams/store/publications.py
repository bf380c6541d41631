"""The publication registry: tables `publications` and `publication_outcomes`."""

from typing import Final, TypeAlias

import asyncpg

from processors.errors import ClaimedElsewhereError
from processors.ports import Claimed, PageVersion, PublicationRegistry, Recorded, SlugTaken
from schemas.base import Outcome
from streams.store.database import Connection, Database, Row
from streams.store.groups import Groups
from streams.store.text import storable
from streams.store.waiting import WAIT_S_MAX, Polls

# Longest that a live worker may hold a page: what it could not release must not wait for longer than this.
# Sinks answer well within it.
CLAIM_S_MAX: Final = 30.0
SLUG_CONSTRAINT: Final = "publications_slug"

Claim: TypeAlias = Recorded | Claimed | SlugTaken


class PostgresPublications(PublicationRegistry):
    """Each page is a row that is claimed before the sink is called and completed after it.

    Both are written in groups: one statement and one flush of the disk for all that came meanwhile.

    Args:
        database: where the rows are.
        worker_id: this process; it holds a `WorkerLease`.
        wait_s_max: seconds to wait for a live worker's claim before giving up.
        claim_s_max: seconds after which a live worker's claim is taken over.
    """

    def __init__(
        self,
        database: Database,
        worker_id: str,
        *,
        wait_s_max: float = WAIT_S_MAX,
        claim_s_max: float = CLAIM_S_MAX,
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._wait_s_max = wait_s_max
        self._claim_s_max = claim_s_max
        self._claims = Groups(self._claim_group)
        self._completions = Groups(self._complete_group)

    async def claim(self, page: PageVersion) -> Claim:
        """Claim the page for writing, or say why not to write it; see the port."""
        async for _ in Polls(self._wait_s_max):
            claim = Claimed() if await self._claims.put(page) else await self._claim_known(page)
            if claim is not None:
                return claim
        raise ClaimedElsewhereError(
            f"page {page.task.task_id!r} of site {page.task.target.site!r} is still claimed by a live worker "
            f"after {self._wait_s_max} s, expected it to be published by then"
        )

    async def release(self, page: PageVersion) -> None:
        """Give a claim up; see the port. The row stays, and with it the slug: a retry is expected."""
        task = page.task
        await self._database.fetch(RELEASE, task.target.site, task.task_id, page.revision, self._worker_id)

    async def complete(self, page: PageVersion, url: str) -> None:
        """Record that the page is published; completing again changes nothing. See the port."""
        await self._completions.put((page, url))

    async def _claim_group(self, pages: list[PageVersion]) -> list[bool]:
        """Claim those pages that have no row, and so no outcome either; of two of one page, the first."""
        columns = map(list, zip(*map(_values, pages), strict=True))
        rows = await self._database.fetch(INSERT_CLAIMS, *columns, self._worker_id)
        made = {(row["site"], row["task_id"]): True for row in rows}
        return [made.pop((page.task.target.site, page.task.task_id), False) for page in pages]

    async def _complete_group(self, completions: list[tuple[PageVersion, str]]) -> list[None]:
        columns = map(list, zip(*(_completion(page, url) for page, url in completions), strict=True))
        await self._database.fetch(COMPLETE, *columns, Outcome.PUBLISHED.value)
        return [None] * len(completions)

    async def _claim_known(self, page: PageVersion) -> Claim | None:
        try:
            async with self._database.transaction() as connection:
                return await self._decide(connection, page)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != SLUG_CONSTRAINT:
                raise
        async with self._database.connection() as connection:
            return await _slug_taken(connection, page)

    async def _decide(self, connection: Connection, page: PageVersion) -> Claim | None:
        """Decide under the row's lock, so that what is read still holds when it is written."""
        task = page.task
        row = await connection.fetchrow(LOCK_PAGE, task.target.site, task.task_id, self._claim_s_max)
        decided = await connection.fetchrow(SELECT_OUTCOME, task.submission_id)
        if decided is not None:
            return _recorded(decided)
        if row is None:
            return await _slug_taken(connection, page)
        if row["live"]:
            return None
        if row["state"] == "published" and _same_content(row, page):
            return await _record_unchanged(connection, page)
        await connection.execute(UPDATE_CLAIM, *_values(page), self._worker_id)
        return Claimed()


async def _slug_taken(connection: Connection, page: PageVersion) -> SlugTaken | None:
    """None when its owner has changed its slug meanwhile: it may be had at the next turn."""
    task = page.task
    row = await connection.fetchrow(SELECT_OWNER, task.target.site, page.document.slug, task.task_id)
    return None if row is None else SlugTaken(row["task_id"])


def _values(page: PageVersion) -> tuple[object, ...]:
    document = page.document
    return (
        *(page.task.target.site, page.task.task_id, document.slug),
        *(storable(document.title), storable(document.description)),
        *(page.revision, page.content_hash, document.simulated),
    )


def _completion(page: PageVersion, url: str) -> tuple[object, ...]:
    task = page.task
    return (
        *(task.target.site, task.task_id, page.document.slug, page.revision, page.content_hash),
        *(url, task.submission_id),
    )


def _same_content(row: Row, page: PageVersion) -> bool:
    return bool(row["content_hash"] == page.content_hash and row["slug"] == page.document.slug)


async def _record_unchanged(connection: Connection, page: PageVersion) -> Recorded:
    task = page.task
    row = await connection.fetchrow(
        INSERT_UNCHANGED, task.submission_id, task.target.site, task.task_id, Outcome.UNCHANGED.value
    )
    if row is None:
        raise LookupError(f"page {task.task_id!r} has no row, expected the one that is locked")
    return _recorded(row)


def _recorded(row: Row) -> Recorded:
    return Recorded(outcome=Outcome(row["outcome"]), url=row["url"], content_hash=row["content_hash"])


# In one order, so that no two statements wait for each other; of a page that comes twice, the first is taken.
# A conflict may be one of the page or one of its slug.
INSERT_CLAIMS: Final = """
INSERT INTO publications (site, task_id, slug, title, description, revision, content_hash, simulated,
                          state, worker_id)
SELECT site, task_id, slug, title, description, revision, content_hash, simulated, 'publishing', $9
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[])
     WITH ORDINALITY AS p (site, task_id, slug, title, description, revision, content_hash, simulated, place)
ORDER BY site, task_id, place
ON CONFLICT DO NOTHING
RETURNING site, task_id
"""

LOCK_PAGE: Final = """
SELECT state, slug, content_hash,
       state = 'publishing' AND claimed_at > now() - make_interval(secs => $3)
       AND worker_is_live(worker_id) AS live
FROM publications WHERE site = $1 AND task_id = $2
FOR UPDATE
"""

SELECT_OUTCOME: Final = "SELECT outcome, url, content_hash FROM publication_outcomes WHERE submission_id = $1"

UPDATE_CLAIM: Final = """
UPDATE publications
SET slug = $3, title = $4, description = $5, revision = $6, content_hash = $7, simulated = $8,
    state = 'publishing', worker_id = $9, claimed_at = now()
WHERE site = $1 AND task_id = $2
"""

RELEASE: Final = """
UPDATE publications SET claimed_at = '-infinity'
WHERE site = $1 AND task_id = $2 AND revision = $3 AND worker_id = $4 AND state = 'publishing'
"""

INSERT_UNCHANGED: Final = """
INSERT INTO publication_outcomes (submission_id, site, task_id, outcome, url, content_hash)
SELECT $1, site, task_id, $4, url, content_hash FROM publications WHERE site = $2 AND task_id = $3
RETURNING outcome, url, content_hash
"""

SELECT_OWNER: Final = "SELECT task_id FROM publications WHERE site = $1 AND slug = $2 AND task_id <> $3"

COMPLETE: Final = "SELECT complete_publications($1, $2, $3, $4, $5, $6, $7, $8)"
