"""`pressline load`: the rows of a file become tasks, and the command waits for what becomes of them."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from aiokafka.errors import KafkaError

from processors.errors import StoreUnavailableError
from processors.recipe import CompiledRecipe
from schemas.base import Lane, Risk
from streams.cli.batch_end import conclude, shown_on
from streams.cli.batch_store import BatchStore, open_store
from streams.cli.batch_views import BatchView, choose_view
from streams.cli.exits import FAILED, exit_codes, run
from streams.cli.load_options import MoneyType, TimeType, parse_delimiter, parse_renames
from streams.engine.producer import RecordProducer
from streams.load import Claim, claim, send_tasks
from streams.load_check import Check, CheckedRow, RowReader, check_rows
from streams.load_rows import open_rows
from streams.load_spool import RowSpool
from streams.load_tasks import (
    LoadOptions,
    TaskMaker,
    batch_prefix,
    check_unchanged,
    content_digest,
    new_batch,
)
from streams.progress import LoadProgress
from streams.recipes import FolderRecipeBook, RecipeFolder
from streams.settings import Settings
from streams.topic_admin import create_missing
from streams.watch import WAIT_S_MAX, watch

CLIENT_ID = "pressline-load"
PROBE = CheckedRow(number=1, line=1, inputs={}, key_text="probe")
"""A row that shows whether a task takes the options, before any row is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A load that passed its checks.

    Attributes:
        settings: where everything is.
        reader: the file.
        good: rows without a fault.
        spool: those rows.
        digest: sha256 of the file when it was checked.
        options: what the tasks have in common.
        batch_id: the id that the user named, or None.
    """

    settings: Settings
    reader: RowReader
    good: int
    spool: RowSpool
    digest: str
    options: LoadOptions
    batch_id: str | None

    def maker(self, batch_id: str) -> TaskMaker:
        """Return what makes the tasks of that load."""
        return TaskMaker(recipe=self.reader.recipe, options=self.options, batch_id=batch_id)


@click.command("load")
@click.argument("rows", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recipe", "recipe_name", required=True, metavar="NAME", help="Recipe of the tasks.")
@click.option(
    "--map",
    "renames",
    multiple=True,
    metavar="COLUMN=INPUT",
    callback=parse_renames,
    help="Input that a column goes to, where its name differs; COLUMN= leaves the column out. Repeatable.",
)
@click.option("--delimiter", callback=parse_delimiter, help="Between CSV cells. [default: by the header]")
@click.option("--skip-bad", is_flag=True, help="Load the good rows when others have faults.")
@click.option("--detach", is_flag=True, help="Return when everything is sent.")
@click.option("--lane", type=click.Choice([lane.value for lane in Lane]), default="bulk", show_default=True)
@click.option("--priority", type=click.IntRange(0, 9), default=5, show_default=True, help="9 is first.")
@click.option("--tenant", default="default", show_default=True, help="Whose tasks they are.")
@click.option("--team", default="default", show_default=True, help="Team that pays.")
@click.option("--feature", default="default", show_default=True, help="Feature that the cost is booked on.")
@click.option("--site", help="Site to publish to. [default: the recipe's]")
@click.option("--batch", "batch_id", metavar="ID", help="Id of the load. [default: by its content]")
@click.option("--deadline", type=TimeType(), help="After this time a task ends as `expired`, unpaid.")
@click.option("--budget-usd", type=MoneyType(), help="Most that one task may cost.")
@click.option(
    "--risk",
    type=click.Choice([risk.value for risk in Risk]),
    default="low",
    show_default=True,
    help="Least risk.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the last has the phase `ended`.")
@click.option(
    "--wait-s-max",
    type=click.FloatRange(min=0),
    default=WAIT_S_MAX,
    show_default=True,
    help="Longest watch, in seconds.",
)
def command(rows: Path, *, detach: bool, as_json: bool, wait_s_max: float, **options: Any) -> None:
    """Load ROWS: CSV with a header, or JSON lines (*.jsonl), in UTF-8.

    Every row is checked before the first is sent. The same command after an interruption goes on where it
    stopped; after the end it makes a new run, whose unchanged pages cost nothing.
    """
    view = choose_view(as_json=as_json)
    with shown_on(view, "stopped; what was sent goes on, and the same command sends the rest"):
        with exit_codes():
            plan = _plan(rows, options, view)
        claimed = run(lambda: _send(plan, view))
    batch_id = claimed.batch.batch_id
    if detach:
        view.say(f"sent; to watch it: pressline watch {batch_id}", phase="sent", batch_id=batch_id)
        return
    with shown_on(view, f"the work goes on; to watch it again: pressline watch {batch_id}"):
        progress = run(lambda: _watch(plan.settings, batch_id, view, wait_s_max))
        conclude(view, progress, str(plan.settings.site / plan.options.site))


def _plan(path: Path, given: Mapping[str, Any], view: BatchView) -> Plan:
    settings = Settings.load()
    settings.need_brokers()
    settings.need_database()
    recipe = _recipe(settings, given["recipe_name"])
    options = _options(given, recipe)
    TaskMaker(recipe=recipe, options=options, batch_id=given["batch_id"] or "probe").task(PROBE)
    reader = RowReader(
        file=open_rows(path, given["delimiter"]), recipe=recipe, renames=dict(given["renames"])
    )
    digest, spool = content_digest(path), RowSpool()
    check = check_rows(reader, view.checking, spool.put)
    check_unchanged(path, digest)
    _report(check, view, skip_bad=given["skip_bad"])
    return Plan(
        settings=settings,
        reader=reader,
        good=check.good,
        spool=spool,
        digest=digest,
        options=options,
        batch_id=given["batch_id"],
    )


def _recipe(settings: Settings, name: str) -> CompiledRecipe:
    return asyncio.run(FolderRecipeBook(RecipeFolder(settings.recipes).read()).get(name))


def _options(given: Mapping[str, Any], recipe: CompiledRecipe) -> LoadOptions:
    return LoadOptions(
        tenant=given["tenant"],
        team=given["team"],
        feature=given["feature"],
        site=given["site"] or recipe.recipe.site,
        lane=Lane(given["lane"]),
        priority=given["priority"],
        deadline=given["deadline"],
        budget_usd=given["budget_usd"],
        risk=Risk(given["risk"]),
    )


def _report(check: Check, view: BatchView, *, skip_bad: bool) -> None:
    """Say what the check found; with faults, exit with 1 unless the good rows are to be loaded."""
    for fault in check.faults:
        text = f"row {fault.row} (line {fault.line}): {fault.text}"
        view.say(text, phase="fault", row=fault.row, line=fault.line, text=fault.text)
    bad = len(check.rejected)
    refused = bool(bad) and (not skip_bad or not check.good)
    end = (
        "nothing was sent: correct them, or load the others with --skip-bad"
        if refused
        else "loading the good"
    )
    view.say(
        f"{check.rows:,} rows checked" + (f", {bad:,} with faults; {end}" if bad else ", all good"),
        phase="checked",
        rows=check.rows,
        bad=bad,
        refused=refused,
    )
    if refused:
        view.close()
        sys.exit(FAILED)


async def _send(plan: Plan, view: BatchView) -> Claim:
    # What fails is said once, by the command; the client repeats it for each try.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings, recipe = plan.settings, plan.reader.recipe
    async with open_store(settings) as store:
        await create_missing(settings.need_brokers(), settings.partitions, settings.replication)
        await store.recipes.put(recipe.recipe.name, recipe.version, recipe.files)
        claimed = await _claim(plan, store)
        batch, sent = claimed.batch, claimed.rows_sent
        view.say(
            f"load {batch.batch_id}: " + (f"goes on after {sent:,} rows" if claimed.resumed else "new"),
            phase="claimed",
            batch_id=batch.batch_id,
            rows_total=batch.rows_total,
            rows_sent=sent,
            resumed=claimed.resumed,
        )
        if sent < batch.rows_total:
            await _send_rest(plan, store, claimed, view)
    return claimed


async def _claim(plan: Plan, store: BatchStore) -> Claim:
    prefix = batch_prefix(plan.reader.recipe, plan.options, plan.reader.renames, plan.digest)
    path, total = plan.reader.file.path, plan.good
    return await claim(
        store.batches,
        lambda batch_id: new_batch(plan.maker(batch_id), path, plan.digest, total),
        plan.batch_id,
        prefix,
    )


async def _send_rest(plan: Plan, store: BatchStore, claimed: Claim, view: BatchView) -> None:
    batch = claimed.batch
    tasks = map(plan.maker(batch.batch_id).task, plan.spool.rows())
    producer = RecordProducer(plan.settings.need_brokers(), CLIENT_ID)
    await producer.start()
    try:
        await send_tasks(
            producer, store.batches, claimed, tasks, lambda sent: view.sending(sent, batch.rows_total)
        )
    except (KafkaError, StoreUnavailableError):
        click.echo("pressline: not all rows were sent; the same command goes on from there", err=True)
        raise
    finally:
        await producer.stop()
        plan.spool.close()


async def _watch(settings: Settings, batch_id: str, view: BatchView, wait_s_max: float) -> LoadProgress:
    async with open_store(settings) as store:
        return await watch(store.batches, batch_id, view.look, wait_s_max=wait_s_max)
