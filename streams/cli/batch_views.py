"""Three ways to show a load that goes on: on a terminal, as plain lines, as JSON lines."""

import json
import sys
import time
from collections.abc import Callable
from typing import Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from streams.cli.batch_text import (
    STALL_HINT,
    STALL_S,
    closing_table,
    next_steps,
    progress_line,
    progress_object,
)
from streams.progress import LoadProgress, imbalance

LINE_S = 5.0
"""Seconds between two plain lines."""
FRAME_S = 0.25


class BatchView(Protocol):
    """What a command tells while it works."""

    def say(self, text: str, /, **fields: object) -> None:
        """Tell one thing: as text, or as the fields of a JSON object."""

    def checking(self, rows: int) -> None:
        """Tell how many rows were checked."""

    def sending(self, sent: int, total: int) -> None:
        """Tell how many rows were sent."""

    def look(self, progress: LoadProgress) -> None:
        """Tell how far the load is."""

    def end(self, progress: LoadProgress, pages: str) -> None:
        """Tell how the load ended."""

    def close(self) -> None:
        """Take down what stands on the screen; closed again, it is no change."""


class TerminalView:
    """Lines that change in place, with a bar."""

    def __init__(self) -> None:
        self._console = Console()
        self._live: Live | None = None
        self._due = Pace(FRAME_S)
        self._stall = StallHint()

    def say(self, text: str, /, **fields: object) -> None:
        """Print the text above the lines that change."""
        del fields
        (self._live.console if self._live else self._console).print(Text(text))

    def checking(self, rows: int) -> None:
        """Count."""
        if self._due():
            self._show(Text(f"checking: {rows:,} rows"))

    def sending(self, sent: int, total: int) -> None:
        """Show the bar."""
        if self._due() or sent == total:
            self._show(
                Group(ProgressBar(total=total, completed=sent), Text(f"sent {sent:,} of {total:,} rows"))
            )

    def look(self, progress: LoadProgress) -> None:
        """Show the bar, and below it rate, time left, states and cost."""
        total = progress.status.batch.rows_total
        bar = ProgressBar(total=total, completed=total - imbalance(progress.status))
        self._show(Group(bar, Text(progress_line(progress))))
        self._stall.tell(progress, self.say)

    def end(self, progress: LoadProgress, pages: str) -> None:
        """Print the closing table."""
        self.close()
        _print_end(self._console, progress, pages)

    def close(self) -> None:
        """Leave the screen as it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show(self, renderable: RenderableType) -> None:
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=1 / FRAME_S, transient=True)
            self._live.start()
        self._live.update(renderable)


class PlainView:
    """A line every LINE_S seconds, for logs."""

    def __init__(self) -> None:
        self._due = Pace(LINE_S)
        self._stall = StallHint()

    def say(self, text: str, /, **fields: object) -> None:
        """Print the text."""
        del fields
        click.echo(text)

    def checking(self, rows: int) -> None:
        """Count."""
        if self._due():
            click.echo(f"checking: {rows:,} rows")

    def sending(self, sent: int, total: int) -> None:
        """Count."""
        if self._due() or sent == total:
            click.echo(f"sent {sent:,} of {total:,} rows")

    def look(self, progress: LoadProgress) -> None:
        """Print rate, time left, states and cost."""
        if self._due():
            click.echo(progress_line(progress))
        self._stall.tell(progress, self.say)

    def end(self, progress: LoadProgress, pages: str) -> None:
        """Print the closing table."""
        _print_end(Console(), progress, pages)

    def close(self) -> None:
        """Lines stay."""


class JsonView:
    """JSON lines; `phase` says what each is about, and `ended` is the last."""

    def __init__(self) -> None:
        self._due = Pace(LINE_S)
        self._stall = StallHint()

    def say(self, text: str, /, **fields: object) -> None:
        """Print the fields."""
        del text
        _print_json(fields)

    def checking(self, rows: int) -> None:
        """Count."""
        if self._due():
            _print_json({"phase": "checking", "rows": rows})

    def sending(self, sent: int, total: int) -> None:
        """Count."""
        if self._due() or sent == total:
            _print_json({"phase": "sending", "rows_sent": sent, "rows_total": total})

    def look(self, progress: LoadProgress) -> None:
        """Print all counts."""
        if self._due():
            _print_json({"phase": "working"} | progress_object(progress))
        self._stall.tell(progress, self.say)

    def end(self, progress: LoadProgress, pages: str) -> None:
        """Print all counts, where the pages are and what to do next."""
        steps = next_steps(progress.status)
        _print_json({"phase": "ended"} | progress_object(progress) | {"pages": pages, "next": steps})

    def close(self) -> None:
        """Lines stay."""


class Pace:
    """True at most once in a period.

    Args:
        period_s: seconds.
        now_s: monotonic seconds.
    """

    def __init__(self, period_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._now_s = now_s
        self._next_s = now_s() + period_s

    def __call__(self) -> bool:
        """Return whether a period has passed since the last True."""
        now_s = self._now_s()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._period_s
        return True


class StallHint:
    """Says once per stall what to look at."""

    def __init__(self) -> None:
        self._told = False

    def tell(self, progress: LoadProgress, say: Callable[..., None]) -> None:
        """Say the hint when nothing has moved for STALL_S seconds."""
        stalled = progress.stalled_s >= STALL_S
        if stalled and not self._told:
            say(STALL_HINT, phase="stalled", stalled_s=round(progress.stalled_s, 1), hint=STALL_HINT)
        self._told = stalled


def choose_view(*, as_json: bool) -> BatchView:
    """Return the view for this output."""
    if as_json:
        return JsonView()
    return TerminalView() if sys.stdout.isatty() else PlainView()


def _print_end(console: Console, progress: LoadProgress, pages: str) -> None:
    console.print(closing_table(progress, pages))
    for step in next_steps(progress.status):
        console.print(f"  {step}", markup=False, highlight=False)


def _print_json(value: dict[str, object]) -> None:
    click.echo(json.dumps(value))
    # A reader of a pipe sees each line when it is made.
    sys.stdout.flush()
