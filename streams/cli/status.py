"""`pressline status`: loads and their counts."""

import json
import sys

import click
from rich.console import Console

from streams.cli.batch_store import open_store
from streams.cli.batch_text import closing_table, next_steps, progress_object, status_table
from streams.cli.exits import run
from streams.progress import LoadProgress
from streams.settings import Settings
from streams.watch import find

NEWEST = 20
WIDTH = 180
"""Columns of a table that no terminal shows."""


@click.command("status")
@click.argument("batch", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each load.")
def command(batch: str | None, *, as_json: bool) -> None:
    """Show the load BATCH, or the newest loads."""
    if batch is None:
        _show_newest(run(_newest), as_json=as_json)
    else:
        _show_one(*run(lambda: _one(batch)), as_json=as_json)


async def _newest() -> list[LoadProgress]:
    async with open_store(Settings.load()) as store:
        batches = store.batches
        return [
            LoadProgress(status=status, simulated=await batches.simulated(status.batch.batch_id))
            for status in await batches.newest(NEWEST)
        ]


async def _one(batch_id: str) -> tuple[LoadProgress, str]:
    settings = Settings.load()
    async with open_store(settings) as store:
        status = await find(store.batches, batch_id)
        simulated = await store.batches.simulated(batch_id)
    return LoadProgress(status=status, simulated=simulated), str(settings.site)


def _show_newest(loads: list[LoadProgress], *, as_json: bool) -> None:
    if as_json:
        for load in loads:
            click.echo(json.dumps(progress_object(load)))
    elif loads:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(status_table(loads))
    else:
        click.echo("no loads yet: `pressline load ROWS --recipe NAME` makes one")


def _show_one(progress: LoadProgress, pages: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(progress_object(progress)))
        return
    Console().print(closing_table(progress, pages))
    click.echo(f"states: {progress.status.states or 'no task seen yet'}")
    for step in next_steps(progress.status):
        click.echo(f"  {step}")
