"""How a command that watches a load ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from streams.cli.batch_text import is_good
from streams.cli.batch_views import BatchView
from streams.cli.exits import FAILED
from streams.progress import LoadProgress, is_settled

INTERRUPTED = 130
"""What shells take for Ctrl-C."""


@contextmanager
def shown_on(view: BatchView, on_interrupt: str) -> Iterator[None]:
    """Take down the view whatever happens; at Ctrl-C say `on_interrupt` and exit."""
    try:
        yield
    except KeyboardInterrupt:
        view.close()
        click.echo(f"\n{on_interrupt}", err=True)
        sys.exit(INTERRUPTED)
    finally:
        view.close()


def conclude(view: BatchView, progress: LoadProgress, pages: str) -> None:
    """Show how the load ended, and exit with 1 unless each row became a page or waits for a person."""
    view.end(progress, pages)
    if not is_settled(progress.status):
        click.echo("pressline: the watch ended before the load did; the work goes on", err=True)
    if not is_good(progress.status):
        sys.exit(FAILED)
