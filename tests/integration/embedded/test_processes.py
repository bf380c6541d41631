"""A child is stopped within its bound whatever it does, and leftovers of a crash are found."""

import asyncio
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from streams.embedded.errors import EmbeddedError, load_extra
from streams.embedded.processes import ChildProcess, end_leftovers, run_blocking

pytestmark = pytest.mark.integration

psutil = load_extra("psutil")

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def child_that(does: str, folder: Path) -> ChildProcess:
    command = (sys.executable, "-c", does, str(folder))
    return ChildProcess(name="child", command=command, folder=folder, log=folder / "child.log")


def await_up(child: ChildProcess, folder: Path) -> None:
    log = folder / "child.log"
    child.wait_until(lambda: "up" in log.read_text(), bound_s=10, abandoned=threading.Event())


def belongs_to(folder: Path, process: Any) -> bool:
    return str(folder) in process.cmdline()


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    child = child_that(STUBBORN, tmp_path)
    await_up(child, tmp_path)

    child.stop(((signal.SIGTERM, 0.2),))

    assert not child.running


def test_a_child_has_a_session_of_its_own(tmp_path: Path) -> None:
    child = child_that(STUBBORN, tmp_path)

    assert os.getsid(child.pid) == child.pid != os.getsid(0)

    child.kill()


def test_a_child_that_ends_at_start_is_quoted(tmp_path: Path) -> None:
    child = child_that("raise SystemExit('ERROR: no luck today')", tmp_path)

    with pytest.raises(EmbeddedError, match=r"(?s)exit code 1.*ERROR: no luck today.*What to do"):
        child.wait_until(lambda: False, bound_s=10, abandoned=threading.Event())


def test_a_child_that_never_answers_is_given_up(tmp_path: Path) -> None:
    child = child_that(STUBBORN, tmp_path)

    with pytest.raises(EmbeddedError, match="did not answer within 0 s"):
        child.wait_until(lambda: False, bound_s=0.1, abandoned=threading.Event())

    child.kill()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="never-made cannot be run"):
        ChildProcess(name="child", command=("/never-made",), folder=tmp_path, log=tmp_path / "child.log")


def test_leftovers_are_found_by_their_command_and_ended(tmp_path: Path) -> None:
    child = child_that("import time; print('up', flush=True); time.sleep(60)", tmp_path)
    await_up(child, tmp_path)  # for a moment after its start a process has no command line

    end_leftovers(partial(belongs_to, tmp_path), ask_with=signal.SIGTERM)

    assert not child.running
    assert not psutil.pid_exists(child.pid)


async def test_cancelled_work_has_ended_when_the_caller_goes_on() -> None:
    abandoned, ended = threading.Event(), threading.Event()

    def work() -> None:
        abandoned.wait(10)
        ended.set()

    task = asyncio.create_task(run_blocking(work, abandoned))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended.is_set()
