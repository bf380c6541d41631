"""Keeps each site's index pages and sitemap in step with what is published."""

import asyncio
import logging
import time
from pathlib import Path

from mode import Service

from processors.errors import ProcessingError
from processors.sinks.site_index import SitePage, write_site_index
from streams.store.pages import PostgresPageIndex
from streams.store.sites import PostgresSites, SiteState

REFRESH_S = 2.0
REST_FACTOR = 20.0
"""A rewrite that took t seconds is followed by 20 t of rest: large sites cost 5 % at most."""

log = logging.getLogger(__name__)


class SiteIndexer(Service):  # type: ignore[misc] # mode ships no types
    """Rewrites a site's index when its pages changed.

    Several workers may do so at once: each writes whole files from the same rows.

    Args:
        sites: which sites there are.
        pages: what is published on them.
        root: folder of all sites.
        base_url: address that `root` is served at, or None for no sitemap.
    """

    def __init__(
        self, sites: PostgresSites, pages: PostgresPageIndex, root: Path, base_url: str | None
    ) -> None:
        super().__init__()
        self._sites = sites
        self._pages = pages
        self._root = root
        self._base_url = base_url
        self._written: dict[str, SiteState] = {}

    async def refresh(self) -> None:
        """Rewrite what changed since the last time.

        Raises:
            ProcessingError: the store or the folder is away.
        """
        for site, state in (await self._sites.states()).items():
            if self._written.get(site) == state:
                continue
            pages = [
                SitePage(
                    slug=page.slug,
                    title=page.title,
                    description=page.description,
                    updated_at=page.updated_at,
                    simulated=page.simulated,
                )
                async for page in self._pages.published(site)
            ]
            await asyncio.to_thread(write_site_index, self._root, site, self._base_url, pages)
            self._written[site] = state

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            started_s = time.monotonic()
            await self._refresh_or_warn()
            await self.sleep(max(REFRESH_S, REST_FACTOR * (time.monotonic() - started_s)))

    async def on_stop(self) -> None:
        """Leave the index as the last pages need it."""
        await self._refresh_or_warn()

    async def _refresh_or_warn(self) -> None:
        try:
            await self.refresh()
        except ProcessingError as error:
            log.warning("the site index could not be rewritten, will try again: %s", error)
