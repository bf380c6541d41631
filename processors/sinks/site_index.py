"""A site's index pages and sitemap, made of what is published there."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from xml.sax.saxutils import escape

from processors.errors import SinkRejectedError
from processors.sinks.files import page_url
from processors.sinks.folder import failure, locked, opened_site, write_atomic
from processors.sinks.rendering import template

PAGES_MAX = 2_000_000
ENTRIES_PER_INDEX_PAGE = 1_000
SITEMAP_URLS_MAX = 50_000
"""Source: https://www.sitemaps.org/protocol.html; BASE_URL_CHARS_MAX keeps below its other bound, 50 MB."""

BASE_URL_CHARS_MAX = 300
BASE_URL = re.compile(r"https?://[^\s/]\S*[^\s/]")
LOCK_FILE = ".lock-index"
OWN_FILE = re.compile(r"index(?:-\d+)?\.html|sitemap(?:-\d+)?\.xml")
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePage:
    """A published page as the index shows it.

    Attributes:
        slug: its address inside the site.
        title: plain text.
        description: plain text, may be empty.
        updated_at: when its content last changed (aware).
        simulated: whether the simulated provider wrote any part.
    """

    slug: str
    title: str
    description: str
    updated_at: datetime
    simulated: bool


def write_site_index(root: Path, site: str, base_url: str | None, pages: Iterable[SitePage]) -> int:
    """Write `index.html`, `index-2.html` and so on, and `sitemap.xml`; return how many pages they list.

    Each file is replaced as a whole; files of an earlier, longer index are taken away. Equal pages, in
    whatever order, give equal files. It blocks: call it in a thread.

    Args:
        root: folder of all sites.
        site: name of the site.
        base_url: address that `root` is served at, without a slash at its end. Without it there is no
            sitemap, since a sitemap holds full addresses only.
        pages: at most PAGES_MAX; all are held in memory, some 500 bytes each.

    Raises:
        SinkRejectedError: too many pages, or site or base URL are not usable.
        SinkUnavailableError: the file system refuses, or the lock is held.
    """
    listed = sorted(islice(pages, PAGES_MAX + 1), key=lambda page: (page.title.casefold(), page.slug))
    if len(listed) > PAGES_MAX:
        raise SinkRejectedError(f"site {site!r} has more than {PAGES_MAX} pages; split it into several sites")
    if base_url is not None and not (BASE_URL.fullmatch(base_url) and len(base_url) <= BASE_URL_CHARS_MAX):
        raise SinkRejectedError(
            f"base URL {base_url[:BASE_URL_CHARS_MAX]!r} is not usable, expected http(s)://... without a "
            f"slash at its end, at most {BASE_URL_CHARS_MAX} characters"
        )
    try:
        with opened_site(root, site) as folder:
            _write(folder, site, base_url, listed)
    except OSError as error:
        raise failure(error) from error
    return len(listed)


def index_files(site: str, pages: Sequence[SitePage]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each index page; a site without pages has one."""
    parts = _parts(pages, ENTRIES_PER_INDEX_PAGE) or [()]
    names = ["index.html", *(f"index-{number}.html" for number in range(2, len(parts) + 1))]
    simulated = sum(page.simulated for page in pages)
    for at, part in enumerate(parts):
        html = template("index.html").render(
            site=site,
            count=len(pages),
            simulated=simulated,
            pages=part,
            number=at + 1,
            numbers=len(parts),
            before=names[at - 1] if at else None,
            after=names[at + 1] if at + 1 < len(parts) else None,
        )
        yield names[at], html.encode()


def sitemap_files(site: str, base_url: str, pages: Sequence[SitePage]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each sitemap; when one cannot hold all, `sitemap.xml` is an index of them."""
    parts = _parts(pages, SITEMAP_URLS_MAX) or [()]
    if len(parts) == 1:
        yield "sitemap.xml", _urlset(site, base_url, parts[0])
        return
    entries = []
    for number, part in enumerate(parts, start=1):
        name = f"sitemap-{number}.xml"
        yield name, _urlset(site, base_url, part)
        newest = max(page.updated_at for page in part)
        entries.append(_entry("sitemap", f"{base_url}/{site}/{name}", newest))
    yield "sitemap.xml", _document("sitemapindex", entries)


def _write(folder: int, site: str, base_url: str | None, pages: Sequence[SitePage]) -> None:
    with locked(folder, LOCK_FILE):
        written = set()
        for name, content in _files(site, base_url, pages):
            write_atomic(folder, name, content)
            written.add(name)
        for name in os.listdir(folder):
            if OWN_FILE.fullmatch(name) and name not in written:
                os.unlink(name, dir_fd=folder)
        os.fsync(folder)


def _files(site: str, base_url: str | None, pages: Sequence[SitePage]) -> Iterator[tuple[str, bytes]]:
    yield from index_files(site, pages)
    if base_url is not None:
        yield from sitemap_files(site, base_url, pages)


def _parts(pages: Sequence[SitePage], size: int) -> list[Sequence[SitePage]]:
    return [pages[start : start + size] for start in range(0, len(pages), size)]


def _urlset(site: str, base_url: str, pages: Sequence[SitePage]) -> bytes:
    entries = [_entry("url", page_url(base_url, site, page.slug) or "", page.updated_at) for page in pages]
    return _document("urlset", entries)


def _entry(tag: str, url: str, updated_at: datetime) -> str:
    """One address; `lastmod` is the moment of the last change of content, in UTC to the second."""
    changed = updated_at.astimezone(UTC).isoformat(timespec="seconds")
    return f"<{tag}><loc>{escape(url)}</loc><lastmod>{changed}</lastmod></{tag}>\n"


def _document(tag: str, entries: Sequence[str]) -> bytes:
    return f'{XML_HEAD}<{tag} xmlns="{XMLNS}">\n{"".join(entries)}</{tag}>\n'.encode()
