"""The demo, as a newcomer runs it: killed half-way, run again, and once more."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from streams.embedded.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[3]
ROWS = 500
DEMO_S_MAX = 240.0
HALF_S_MAX = 120.0

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("demo")
    home.chmod(0o755)
    yield home
    kill_everything(home)


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PRESSLINE_") and k != "OPENAI_API_KEY"}
    return kept | {"PRESSLINE_HOME": str(home), "PRESSLINE_SITE": str(home / "site")}


def start_demo(home: Path, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "streams.demo"],
            cwd=ROOT,
            env=environment(home),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def run_demo(home: Path, name: str) -> str:
    log = home / f"{name}.txt"
    process = start_demo(home, log)
    assert process.wait(DEMO_S_MAX) == 0, log.read_text()
    return log.read_text()


def kill_everything(home: Path) -> None:
    """SIGKILL every process that has this home in its command line or environment."""
    mine = str(home)
    for process in psutil.process_iter():
        try:
            marks = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(mine in mark for mark in marks):
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue


def pages(home: Path) -> list[Path]:
    return list((home / "site" / "flights").glob("flights-*.md"))


def provider_lines(home: Path) -> list[dict[str, Any]]:
    lines = (home / "logs" / "provider.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines if line.endswith(b"}")]


def steps_asked(home: Path) -> Counter[str]:
    """How often each step was asked, by call id without its attempt."""
    asked = [line["call"].rpartition("/")[0] for line in provider_lines(home) if line["event"] == "request"]
    return Counter(asked)


def in_flight(home: Path) -> int:
    """Calls that the provider had been asked and had not answered."""
    events: dict[str, set[str]] = {"request": set(), "answered": set()}
    for line in provider_lines(home):
        if line["event"] in events:
            events[line["event"]].add(line["request_id"])
    return len(events["request"] - events["answered"])


def test_the_demo_survives_a_kill_of_everything_half_way(home: Path) -> None:
    process = start_demo(home, home / "killed.txt")
    deadline = time.monotonic() + HALF_S_MAX
    while len(pages(home)) < ROWS // 4 and time.monotonic() < deadline:
        assert process.poll() is None, (home / "killed.txt").read_text()
        time.sleep(0.02)
    kill_everything(home)
    process.wait(10)
    half = len(pages(home))
    lost_at_kill = in_flight(home)
    assert 0 < half < ROWS

    report = run_demo(home, "again")

    asked = steps_asked(home)
    assert "Balance         │ even" in report
    assert len(pages(home)) == ROWS
    assert len(asked) == ROWS
    # Answers that were on their way, or received and not yet durable, count as in flight at the worker.
    twice = sum(asked.values()) - len(asked)
    sys.stdout.write(f"killed at {half} pages, {lost_at_kill} calls in flight, {twice} calls made twice\n")
    assert twice <= max(lost_at_kill, open_calls_at_kill(home))


def open_calls_at_kill(home: Path) -> int:
    """Intents that the killed worker left open, as the journal booked them afterwards."""

    async def count() -> int:
        async with EmbeddedPostgres(home) as postgres:
            connection = await asyncpg.connect(postgres.url)
            try:
                found = await connection.fetchval("SELECT count(*) FROM model_calls WHERE state = 'unknown'")
                return int(found)
            finally:
                await connection.close()

    return asyncio.run(count())


def test_another_run_changes_nothing_and_asks_no_model(home: Path) -> None:
    before = sum(steps_asked(home).values())

    report = run_demo(home, "unchanged")

    assert f"unchanged     │ {ROWS}" in report
    assert sum(steps_asked(home).values()) == before


def test_the_site_can_be_browsed_and_has_a_sitemap(home: Path) -> None:
    site = home / "site" / "flights"

    assert (site / "index.html").read_text().count("<li") >= ROWS
    assert (site / "sitemap.xml").read_text().count("<url>") == ROWS
    assert "Simulated" in pages(home)[0].read_text()


def test_the_demo_leaves_no_process_behind(home: Path) -> None:
    left = []
    for process in psutil.process_iter():
        try:
            if any(str(home) in part for part in process.cmdline()):
                left.append(process.cmdline())
        except psutil.Error:
            continue
    assert left == []
