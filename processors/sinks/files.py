"""Sink `files`: a folder per site, and in it each page as Markdown and as HTML."""

import asyncio
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import orjson

from processors.clock import Clock
from processors.errors import SinkRejectedError
from processors.ports import PageVersion, PublishedPage
from processors.sinks.folder import append_line, failure, locked, opened_site, read_file, write_atomic
from processors.sinks.rendering import html_file, markdown_file

LOG_FILE = ".sink-log.jsonl"
LOCKS = 256
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
RESERVED_SLUG = re.compile(r"index(?:-\d+)?")


@dataclass(frozen=True, slots=True)
class FilesSink:
    """Writes `<root>/<site>/<slug>.md` and, from it, `<slug>.html`.

    A site is one flat folder: ext4 and XFS index their folders, so a million files in one are no burden. A
    task that comes back with another slug gets a second page; taking the first away is not this sink's part.

    Two writers of one page wait for each other (a lock file for every 1/LOCKS of a site's slugs), and each
    call writes in this order:

    1. `<slug>.html`, then `<slug>.md`: temporary file, fsync, rename. The rename of the `.md` is the effect.
    2. fsync of the folder: from here on the page outlasts a loss of power.
    3. one line in `.sink-log.jsonl` (time, key, task_id, slug, content_hash, effect). `key` is the revision.

    What a crash leaves, and what the retry does, since it compares the `.md` with what it would write:

    - before the `.md`'s rename: the old page, at most with the new HTML beside it and a temporary file. The
      retry writes both again and logs `effect: true`.
    - between that rename and the log line: the new page without a line. The retry changes nothing and logs
      `effect: false`. So the log may name a key with `false` only, and never names one twice with `true`
      unless other content was put in place in between.
    - after the log line: the retry changes nothing and logs `effect: false` once more.

    The log is not synced: a loss of power may cost its last lines, which is the second case again.

    Attributes:
        root: folder of all sites.
        clock: for the log's `time`.
        base_url: address that `root` is served at, without a slash at its end; None: pages are `file:` URLs.
    """

    root: Path
    clock: Clock
    base_url: str | None = None

    async def publish(self, page: PageVersion) -> PublishedPage:
        """Put the page in place, in a thread because of fsync.

        Raises:
            SinkUnavailableError: the file system refuses (full, no right, not mounted), or the lock is held.
            SinkRejectedError: site or slug cannot be a file's name, or the slug is one of the site's index.
        """
        return await asyncio.to_thread(self._publish, page)

    def _publish(self, page: PageVersion) -> PublishedPage:
        slug = page.document.slug
        if not SLUG.fullmatch(slug) or RESERVED_SLUG.fullmatch(slug):
            raise SinkRejectedError(
                f"slug {slug!r} cannot be a page's: index and index-<n> are the site's own"
            )
        try:
            with opened_site(self.root, page.task.target.site) as folder, locked(folder, _lock_name(slug)):
                return self._put(folder, page)
        except OSError as error:
            raise failure(error) from error

    def _put(self, folder: int, page: PageVersion) -> PublishedPage:
        slug = page.document.slug
        url = self._url(page.task.target.site, slug)
        content = markdown_file(page)
        effect = read_file(folder, f"{slug}.md") != content
        if effect:
            write_atomic(folder, f"{slug}.html", html_file(page, url))
            write_atomic(folder, f"{slug}.md", content)
            os.fsync(folder)
        append_line(folder, LOG_FILE, self._log_line(page, effect=effect))
        return PublishedPage(url=url, effect=effect)

    def _url(self, site: str, slug: str) -> str:
        return page_url(self.base_url, site, slug) or (self.root.resolve() / site / f"{slug}.html").as_uri()

    def _log_line(self, page: PageVersion, *, effect: bool) -> bytes:
        line = {
            "time": self.clock.now().isoformat(),
            "key": page.revision,
            "task_id": page.task.task_id,
            "slug": page.document.slug,
            "content_hash": page.content_hash,
            "effect": effect,
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def page_url(base_url: str | None, site: str, slug: str) -> str | None:
    """Return where a page is served, or None without a base."""
    return None if base_url is None else f"{base_url}/{site}/{slug}.html"


def _lock_name(slug: str) -> str:
    shard = hashlib.sha256(slug.encode()).digest()[0] % LOCKS
    return f".lock-{shard:02x}"
