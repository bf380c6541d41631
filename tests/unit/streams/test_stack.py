"""A start can be called off, and a killed run's processes are told from those of other homes."""

import asyncio
import sys
from pathlib import Path

import pytest

from streams.embedded.errors import EmbeddedError
from streams.settings import Settings
from streams.stack import PROVIDER_LOG, Stack, StackOptions, _left_behind, started

HOME = Path("/srv/.pressline")
SIBLING = Path("/srv/.pressline-b")
WORKER = (sys.executable, "-m", "streams", "worker", "--web-port", "6066")


class FakeProcess:
    """A process as psutil describes it."""

    def __init__(self, *command: str, home: Path) -> None:
        self._command = command
        self._home = home

    def cmdline(self) -> list[str]:
        return list(self._command)

    def environ(self) -> dict[str, str]:
        return {"PRESSLINE_HOME": str(self._home)}


class FakeStack(Stack):
    """Is up once `up` is set, and starts nothing."""

    def __init__(self, home: Path) -> None:
        super().__init__(Settings(home=home), StackOptions(), lambda _: None)
        self.up = asyncio.Event()
        self.called_off = False

    async def start(self) -> None:
        try:
            await self.up.wait()
        except asyncio.CancelledError:
            self.called_off = True
            raise


class FailingStack(FakeStack):
    async def start(self) -> None:
        raise EmbeddedError("no disk")


def provider_of(home: Path) -> FakeProcess:
    log = str(home / "logs" / PROVIDER_LOG)
    return FakeProcess(
        sys.executable, "-m", "streams.embedded.provider", "--port", "1", "--log", log, home=HOME
    )


def test_a_worker_and_a_provider_of_this_home_are_leftovers() -> None:
    assert _left_behind(HOME, FakeProcess(*WORKER, home=HOME))
    assert _left_behind(HOME, provider_of(HOME))


def test_those_of_a_home_whose_path_begins_alike_are_not() -> None:
    assert not _left_behind(HOME, FakeProcess(*WORKER, home=SIBLING))
    assert not _left_behind(HOME, FakeProcess(*WORKER, str(SIBLING), home=SIBLING))
    assert not _left_behind(HOME, provider_of(SIBLING))


def test_another_program_that_has_this_home_is_none() -> None:
    assert not _left_behind(HOME, FakeProcess("tail", "-f", str(HOME / "logs" / PROVIDER_LOG), home=HOME))


async def test_a_start_that_is_stopped_is_cancelled(tmp_path: Path) -> None:
    stack, stop = FakeStack(tmp_path), asyncio.Event()
    starting = asyncio.ensure_future(started(stack, stop))
    await asyncio.sleep(0)

    stop.set()

    assert not await asyncio.wait_for(starting, 1)
    assert stack.called_off


async def test_a_start_that_is_not_stopped_comes_up(tmp_path: Path) -> None:
    stack = FakeStack(tmp_path)
    stack.up.set()

    assert await asyncio.wait_for(started(stack, asyncio.Event()), 1)


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="no disk"):
        await started(FailingStack(tmp_path), asyncio.Event())
