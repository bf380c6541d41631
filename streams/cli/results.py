"""`pressline results`: the rows of a load and what became of them, in the order of the rows."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from processors.recipe import compile_recipe
from schemas.base import Outcome
from streams.cli.batch_store import BatchStore, open_store
from streams.cli.exits import WorkFailedError, run
from streams.results import CsvResults, JsonResults, ResultsWriter
from streams.settings import Settings
from streams.store.batches import Batch
from streams.store.task_rows import Progress
from streams.store.tasks import IndexedTask
from streams.watch import find

STATES = (*Progress, *Outcome)


@click.command("results")
@click.argument("batch")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: stdout.")
@click.option(
    "--where",
    "states",
    multiple=True,
    metavar="outcome=NAME",
    callback=lambda _context, _parameter, values: _states(values),
    help="Only rows of that outcome, or still at that state. Repeatable.",
)
def command(batch: str, *, form: str, out: Path | None, states: frozenset[str]) -> None:
    """Write the rows of the load BATCH: number, task, inputs, outcome, address, cost. Works at any time.

    Rows that no worker has seen yet are not there.
    """
    run(lambda: _work(batch, form, out, states))


async def _work(batch_id: str, form: str, out: Path | None, states: frozenset[str]) -> None:
    async with open_store(Settings.load()) as store:
        batch = (await find(store.batches, batch_id)).batch
        inputs = await _input_names(store, batch) if form == "csv" else ()
        with _opened(out) as file:
            writer: ResultsWriter = CsvResults(file, inputs) if form == "csv" else JsonResults(file)
            async for task in _wanted(store, batch_id, states):
                writer.write(task)


async def _wanted(store: BatchStore, batch_id: str, states: frozenset[str]) -> AsyncIterator[IndexedTask]:
    async for task in store.batches.results(batch_id):
        if not states or task.state in states:
            yield task


async def _input_names(store: BatchStore, batch: Batch) -> tuple[str, ...]:
    files = await store.recipes.get(batch.recipe_name, batch.recipe_version)
    if files is None:
        raise WorkFailedError(f"recipe {batch.recipe_name}@{batch.recipe_version} is not kept; use jsonl")
    recipe = compile_recipe(files)
    return tuple(recipe.schemas[recipe.recipe.inputs].properties)


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that has its name only when it is complete."""
    if out is None:
        yield sys.stdout
        return
    partial = out.with_name(f"{out.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(out)
    except OSError as error:
        raise WorkFailedError(f"{out} cannot be written: {error.strerror}") from error


def _states(values: tuple[str, ...]) -> frozenset[str]:
    states = set()
    for value in values:
        name, _, state = value.partition("=")
        state = state.strip().replace("-", "_")
        if name != "outcome" or state not in STATES:
            raise click.BadParameter(f"{value!r}, expected outcome= and one of {', '.join(STATES)}")
        states.add(state)
    return frozenset(states)
