"""What every sink keeps: run on the fake and on the real ones."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from builders import a_document, a_task
from fakes.clock import FakeClock
from fakes.sink import FakeSink
from processors.ports import PageVersion, Sink
from processors.publish import content_hash
from processors.sinks import files
from processors.sinks.files import LOG_FILE, FilesSink


class CrashError(BaseException):
    """The process dies here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """A sink, its log as (revision, effect) pairs, and a way to die between the effect and the log line."""

    sink: Sink
    log: Callable[[], list[tuple[str, bool]]]
    crash_before_log: Callable[[], AbstractContextManager[None]]


def fake_harness() -> Harness:
    sink = FakeSink()

    @contextmanager
    def crash() -> Iterator[None]:
        sink.crash = CrashError()
        yield
        sink.crash = None

    return Harness(sink=sink, log=lambda: sink.log, crash_before_log=crash)


def files_harness(root: Path, monkeypatch: pytest.MonkeyPatch) -> Harness:
    def log() -> list[tuple[str, bool]]:
        lines = [line for path in root.glob(f"*/{LOG_FILE}") for line in path.read_bytes().splitlines()]
        return [(entry["key"], entry["effect"]) for entry in map(orjson.loads, lines)]

    def die(*_: object) -> None:
        raise CrashError

    @contextmanager
    def crash() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(files, "append_line", die)
            yield

    return Harness(sink=FilesSink(root=root, clock=FakeClock()), log=log, crash_before_log=crash)


@pytest.fixture(params=["fake", "files"])
def harness(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Harness:
    return fake_harness() if request.param == "fake" else files_harness(tmp_path, monkeypatch)


def a_page(revision: str = "r1", **changes: object) -> PageVersion:
    document = a_document(**changes)
    return PageVersion(
        task=a_task(), revision=revision, document=document, content_hash=content_hash(document)
    )


async def test_a_new_page_has_an_effect_and_an_address(harness: Harness) -> None:
    published = await harness.sink.publish(a_page())

    assert published.effect
    assert published.url
    assert harness.log() == [("r1", True)]


async def test_the_same_revision_again_has_no_effect(harness: Harness) -> None:
    first = await harness.sink.publish(a_page())

    again = await harness.sink.publish(a_page())

    assert not again.effect
    assert again.url == first.url
    assert harness.log() == [("r1", True), ("r1", False)]


async def test_changed_content_has_an_effect_at_the_same_address(harness: Harness) -> None:
    first = await harness.sink.publish(a_page())

    changed = await harness.sink.publish(a_page("r2", body="Another body."))

    assert changed.effect
    assert changed.url == first.url
    assert harness.log() == [("r1", True), ("r2", True)]


async def test_writers_of_one_revision_at_the_same_time_have_one_effect(harness: Harness) -> None:
    published = await asyncio.gather(*(harness.sink.publish(a_page()) for _ in range(8)))

    assert sum(page.effect for page in published) == 1
    assert sorted(harness.log()) == [("r1", False)] * 7 + [("r1", True)]


async def test_pages_at_the_same_time_do_not_disturb_each_other(harness: Harness) -> None:
    pages = [a_page(f"r{n}", slug=f"page-{n}") for n in range(20)]

    published = await asyncio.gather(*(harness.sink.publish(page) for page in pages))

    assert all(page.effect for page in published)
    assert len({page.url for page in published}) == 20
    assert sorted(harness.log()) == sorted((page.revision, True) for page in pages)


async def test_a_crash_between_effect_and_log_is_retried_without_a_second_effect(harness: Harness) -> None:
    with harness.crash_before_log(), pytest.raises(CrashError):
        await harness.sink.publish(a_page())

    again = await harness.sink.publish(a_page())

    assert not again.effect
    assert harness.log() == [("r1", False)]
