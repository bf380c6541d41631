"""The files sink: what it writes, what it refuses, what a crash leaves."""

import asyncio
import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders import a_document, a_task
from fakes.clock import FakeClock
from processors.errors import SinkRejectedError, SinkUnavailableError
from processors.ports import PageVersion
from processors.publish import content_hash
from processors.sinks import files, folder
from processors.sinks.files import LOG_FILE, FilesSink
from processors.sinks.rendering import html_file, markdown_file
from schemas.task import PublishTarget

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=80)


class CrashError(BaseException):
    """The process dies here."""


def a_page(*, site: str = "flights", **changes: Any) -> PageVersion:
    document = a_document(**changes)
    task = a_task(target=PublishTarget(site=site, slug=None))
    return PageVersion(task=task, revision="r1", document=document, content_hash=content_hash(document))


def a_sink(root: Path, base_url: str | None = None) -> FilesSink:
    return FilesSink(root, FakeClock(), base_url)


def fails_with(number: int) -> Any:
    def fail(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def front_matter(content: bytes) -> dict[str, Any]:
    return dict(yaml.safe_load(content.decode().split("\n---\n", 1)[0]))


async def test_a_page_is_written_as_markdown_and_html(tmp_path: Path) -> None:
    page = a_page(data={"distance_km": 1105, "airlines": ["Air France"]})

    published = await a_sink(tmp_path, "https://a.example").publish(page)

    markdown = (tmp_path / "flights" / "flights-cdg-fco.md").read_bytes()
    assert published.url == "https://a.example/flights/flights-cdg-fco.html"
    assert front_matter(markdown) == {
        "title": page.document.title,
        "description": page.document.description,
        "slug": "flights-cdg-fco",
        "task_id": "flight-route/CDG-FCO",
        "revision": "r1",
        "content_hash": page.content_hash,
        "simulated": False,
        "data": {"distance_km": 1105, "airlines": ["Air France"]},
    }
    assert markdown.decode().endswith(page.document.body)
    html = (tmp_path / "flights" / "flights-cdg-fco.html").read_text()
    assert '<link rel="canonical" href="https://a.example/flights/flights-cdg-fco.html">' in html


async def test_without_a_base_the_address_is_that_of_the_file(tmp_path: Path) -> None:
    published = await a_sink(tmp_path).publish(a_page())

    assert published.url == (tmp_path / "flights" / "flights-cdg-fco.html").as_uri()


async def test_the_log_has_one_line_for_each_call(tmp_path: Path) -> None:
    await a_sink(tmp_path).publish(a_page())
    await a_sink(tmp_path).publish(a_page())

    lines = [orjson.loads(line) for line in (tmp_path / "flights" / LOG_FILE).read_bytes().splitlines()]
    assert lines[0] == {
        "time": "2026-01-02T03:04:05+00:00",
        "key": "r1",
        "task_id": "flight-route/CDG-FCO",
        "slug": "flights-cdg-fco",
        "content_hash": a_page().content_hash,
        "effect": True,
    }
    assert lines[1] == lines[0] | {"effect": False}


@pytest.mark.parametrize("site", ["a/b", "a/../../etc", "a/..", "a/"])
async def test_a_site_that_is_no_single_folder_is_rejected(tmp_path: Path, site: str) -> None:
    with pytest.raises(SinkRejectedError, match="slash"):
        await a_sink(tmp_path / "root").publish(a_page(site=site))

    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("slug", ["index", "index-2"])
async def test_the_names_of_the_sites_index_are_rejected(tmp_path: Path, slug: str) -> None:
    with pytest.raises(SinkRejectedError, match="cannot be a page's"):
        await a_sink(tmp_path).publish(a_page(slug=slug))


async def test_a_slug_that_passed_no_schema_leads_nowhere(tmp_path: Path) -> None:
    page = a_page()
    forged = page.document.model_copy(update={"slug": "../../x"})

    with pytest.raises(SinkRejectedError):
        await a_sink(tmp_path).publish(replace(page, document=forged))


async def test_a_site_folder_that_is_a_link_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "flights").symlink_to(tmp_path / "outside")

    with pytest.raises(SinkRejectedError, match="link"):
        await a_sink(tmp_path / "root").publish(a_page())

    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, SinkUnavailableError),
        (errno.EACCES, SinkUnavailableError),
        (errno.EROFS, SinkUnavailableError),
        (errno.ENAMETOOLONG, SinkRejectedError),
    ],
)
async def test_a_fault_of_the_file_system_is_named_and_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(os, "fsync", fails_with(number))

    with pytest.raises(error, match=errno.errorcode[number]):
        await a_sink(tmp_path).publish(a_page())


async def test_a_failed_write_leaves_the_old_page_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_sink(tmp_path).publish(a_page())
    before = (tmp_path / "flights" / "flights-cdg-fco.md").read_bytes()
    monkeypatch.setattr(os, "fsync", fails_with(errno.ENOSPC))

    with pytest.raises(SinkUnavailableError):
        await a_sink(tmp_path).publish(a_page(body="new"))

    assert (tmp_path / "flights" / "flights-cdg-fco.md").read_bytes() == before


async def test_a_crash_between_the_two_renames_is_repaired_with_one_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_at_markdown(site: int, name: str, content: bytes) -> None:
        if name.endswith(".md"):
            raise CrashError
        folder.write_atomic(site, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomic", die_at_markdown)
        with pytest.raises(CrashError):
            await a_sink(tmp_path).publish(a_page())

    assert (await a_sink(tmp_path).publish(a_page())).effect
    assert not (await a_sink(tmp_path).publish(a_page())).effect


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    asyncio.run(a_sink(tmp_path).publish(a_page()))

    assert list(tmp_path.rglob("*.tmp")) == []


async def test_a_lock_that_is_never_freed_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "LOCK_WAIT_S_MAX", 0.0)
    sink = a_sink(tmp_path)
    await sink.publish(a_page())
    lock = next((tmp_path / "flights").glob(".lock-*"))

    with (
        folder.opened_site(tmp_path, "flights") as site,
        folder.locked(site, lock.name),
        pytest.raises(SinkUnavailableError, match="was held"),
    ):
        await sink.publish(a_page())


def test_a_log_line_that_is_cut_short_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 1)

    with folder.opened_site(tmp_path, "flights") as site, pytest.raises(OSError, match="1 of 4 bytes"):
        folder.append_line(site, "log", b"abc\n")


def test_a_file_is_whole_though_the_system_takes_it_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))

    with folder.opened_site(tmp_path, "flights") as site:
        folder.write_atomic(site, "page.md", b"0123456789")

    assert (tmp_path / "flights" / "page.md").read_bytes() == b"0123456789"


async def test_a_site_folder_that_is_taken_away_is_made_again(tmp_path: Path) -> None:
    sink = a_sink(tmp_path / "root")
    await sink.publish(a_page())
    shutil.rmtree(tmp_path / "root")

    assert (await sink.publish(a_page())).effect


def test_html_of_the_body_and_links_that_run_scripts_stay_text() -> None:
    body = "<script>alert(1)</script>\n\n[x](javascript:alert(1))\n\n| a |\n|---|\n| b |\n"

    html = html_file(a_page(body=body, title="<b>&"), "https://a.example/x").decode()

    assert "<script>" not in html
    assert 'href="javascript' not in html
    assert "<td>b</td>" in html
    assert "<title>&lt;b&gt;&amp;</title>" in html


@pytest.mark.parametrize("simulated", [True, False])
def test_a_simulated_page_says_so_where_people_and_crawlers_look(simulated: Any) -> None:
    html = html_file(a_page(simulated=simulated), "https://a.example/x").decode()

    assert ("<strong>Simulated.</strong>" in html) is simulated
    assert ('content="noindex"' in html) is simulated


@pytest.mark.parametrize(("body", "headings"), [("# Own\n\ntext", 1), ("text\n\n## Part", 1)])
def test_a_page_has_one_first_heading(body: str, headings: int) -> None:
    assert html_file(a_page(body=body), "u").decode().count("<h1>") == headings


@given(
    title=PRINTABLE.filter(bool),
    description=PRINTABLE,
    data=st.dictionaries(
        PRINTABLE, PRINTABLE | st.integers(0, 10**9) | st.booleans() | st.none(), max_size=4
    ),
)
def test_any_text_comes_back_from_the_front_matter(
    title: str, description: str, data: dict[str, Any]
) -> None:
    page = a_page(title=title, description=description, data=data)

    read = front_matter(markdown_file(page))

    assert (read["title"], read["description"], read["data"]) == (title, description, data)
