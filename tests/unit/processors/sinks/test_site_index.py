"""Index pages and sitemaps."""

import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

import pytest

from builders import NOW
from processors.errors import SinkRejectedError, SinkUnavailableError
from processors.sinks import site_index
from processors.sinks.site_index import SitePage, index_files, sitemap_files, write_site_index

BASE = "https://a.example"
XML = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def some_pages(count: int, **changes: Any) -> list[SitePage]:
    return [
        SitePage(
            **{
                "slug": f"p-{n}",
                "title": f"Title {n:05}",
                "description": "About <it> & more",
                "updated_at": NOW + timedelta(seconds=n),
                "simulated": False,
                **changes,
            }
        )
        for n in range(count)
    ]


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "site").iterdir() if not path.name.startswith(".")}


def locs(content: bytes) -> list[str]:
    return [loc.text or "" for loc in ET.fromstring(content).iter(f"{XML}loc")]  # noqa: S314 - our own file


def test_a_small_site_has_one_index_page_and_one_sitemap(tmp_path: Path) -> None:
    count = write_site_index(tmp_path, "site", BASE, some_pages(3))

    html = (tmp_path / "site" / "index.html").read_text()
    assert count == 3
    assert names(tmp_path) == {"index.html", "sitemap.xml"}
    assert '<a href="p-1.html">Title 00001</a>' in html
    assert "About &lt;it&gt; &amp; more" in html
    assert "3 pages" in html
    assert "Simulated" not in html
    assert locs((tmp_path / "site" / "sitemap.xml").read_bytes()) == [
        f"{BASE}/site/p-{n}.html" for n in range(3)
    ]


def test_without_a_base_url_there_is_no_sitemap(tmp_path: Path) -> None:
    write_site_index(tmp_path, "site", None, some_pages(1))

    assert names(tmp_path) == {"index.html"}


def test_an_empty_site_has_an_index_too(tmp_path: Path) -> None:
    write_site_index(tmp_path, "site", BASE, [])

    assert "0 pages" in (tmp_path / "site" / "index.html").read_text()
    assert locs((tmp_path / "site" / "sitemap.xml").read_bytes()) == []


def test_a_shrunk_site_loses_the_files_of_its_longer_index_and_no_page(tmp_path: Path) -> None:
    write_site_index(tmp_path, "site", BASE, some_pages(2_500))
    (tmp_path / "site" / "index-of-cities.html").write_text("a page")
    assert {"index-2.html", "index-3.html"} <= names(tmp_path)

    write_site_index(tmp_path, "site", BASE, some_pages(1_000))

    assert names(tmp_path) == {"index.html", "sitemap.xml", "index-of-cities.html"}


def test_index_pages_lead_forth_and_back_and_list_each_page_once() -> None:
    files = dict(index_files("site", some_pages(2_001)))

    html = [content.decode() for content in files.values()]
    assert list(files) == ["index.html", "index-2.html", "index-3.html"]
    assert sum(text.count("<li>") for text in html) == 2_001
    assert 'rel="next" href="index-2.html"' in html[0]
    assert 'rel="prev"' not in html[0]
    assert 'rel="prev" href="index.html"' in html[1]
    assert 'rel="next"' not in html[2]
    assert "2,001 pages, part 2 of 3" in html[1]


def test_equal_pages_in_any_order_give_equal_files(tmp_path: Path) -> None:
    write_site_index(tmp_path, "site", BASE, some_pages(50))
    before = {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir()}

    write_site_index(tmp_path, "site", BASE, reversed(some_pages(50)))

    assert {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir()} == before


def test_any_simulated_page_is_marked_and_puts_a_banner_on_every_part() -> None:
    pages = [*some_pages(1_000), *some_pages(1, simulated=True, slug="s")]

    html = [content.decode() for _, content in index_files("site", pages)]

    assert all("<strong>Simulated.</strong> 1 of these" in text for text in html)
    assert '<span class="mark">simulated</span>' in html[1]


def test_a_large_site_has_an_index_of_sitemaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_index, "SITEMAP_URLS_MAX", 10)

    files = dict(sitemap_files("site", BASE, some_pages(25)))

    parts = [f"sitemap-{n}.xml" for n in (1, 2, 3)]
    assert list(files) == [*parts, "sitemap.xml"]
    assert locs(files["sitemap.xml"]) == [f"{BASE}/site/{part}" for part in parts]
    assert [loc for part in parts for loc in locs(files[part])] == [
        f"{BASE}/site/p-{n}.html" for n in range(25)
    ]
    assert b"<lastmod>2026-01-02T03:04:14+00:00</lastmod></sitemap>" in files["sitemap.xml"]


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "https://a.example/", "a.example", "https://a b", "https://" + "a" * 300]
)
def test_a_base_url_that_makes_no_addresses_is_rejected(tmp_path: Path, url: str) -> None:
    with pytest.raises(SinkRejectedError, match="base URL"):
        write_site_index(tmp_path, "site", url, [])


def test_too_many_pages_are_rejected_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_index, "PAGES_MAX", 2)

    with pytest.raises(SinkRejectedError, match="more than 2 pages"):
        write_site_index(tmp_path, "site", BASE, some_pages(3))

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_sink_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(SinkUnavailableError, match="ENOSPC"):
        write_site_index(tmp_path, "site", BASE, [])
