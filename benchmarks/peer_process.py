"""One peer as a process of its own: started, listened to, asked for its figures, ended."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.environments import ROOT

MARK = b"@bench "
REPORT_S_MAX = 15.0
ERROR_CHARS_MAX = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a peer said of itself at one moment.

    Attributes:
        event: `taken` at the first record, `report` when asked.
        at_s: Unix seconds.
        cpu_s: processor time of all its threads so far.
        rss_kib: its peak resident memory.
    """

    event: str
    at_s: float
    cpu_s: float
    rss_kib: int


class PeerProcess:
    """A peer that runs.

    Args:
        command: its command line.
        folder: where it runs, and leaves what it says.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.told: list[Told] = []
        self._command = command
        self._folder = folder
        self._errors = folder / "errors.txt"
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it."""
        with self._errors.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
                cwd=self._folder,
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
            )
        self._listening = asyncio.create_task(self._listen(self._process))

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.returncode is not None

    @property
    def last_error(self) -> str:
        """The last line of its error stream that names an error, or else the last line."""
        lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        named = [line for line in lines if "Error" in line]
        return (named or lines or ["it said nothing"])[-1][:ERROR_CHARS_MAX]

    def first(self, event: str) -> Told | None:
        """Return the first `event` that it told of."""
        return next((told for told in self.told if told.event == event), None)

    async def report(self) -> Told | None:
        """Ask for its figures; None when it does not answer."""
        if self._process is None or self._process.stdin is None or self.ended:
            return None
        self._process.stdin.write(b"report\n")
        try:
            async with asyncio.timeout(REPORT_S_MAX):
                while self.first("report") is None:  # noqa: ASYNC110 - the process answers on a pipe
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return None
        return self.first("report")

    async def end(self) -> None:
        """Kill it: a benchmark has nothing to drain."""
        if self._process is None:
            return
        if not self.ended:
            self._process.kill()
        await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def _listen(self, process: Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            if line.startswith(MARK):
                self.told.append(Told(**orjson.loads(line.removeprefix(MARK))))
