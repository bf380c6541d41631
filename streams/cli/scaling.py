"""`pressline scaling`: backlog, age, pace, and how many workers each stage wants."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from schemas.base import Stage
from schemas.why import Cause, WorkerWhy
from streams.backlog import read_backlog
from streams.cli.exits import run
from streams.cli.report_store import open_reports
from streams.scaling import desired, load_of
from streams.settings import Settings
from streams.why_view import WhyRow, why_rows

WIDTH = 120
"""Columns of a table that no terminal shows."""
UNREPORTED = (Cause.NO_OWNER, Cause.NO_REPORT)


@click.command("scaling")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each stage.")
def command(*, as_json: bool) -> None:
    """Show each stage's true backlog, the age of its head, and how many workers it wants, bound by what.

    Bound by `quota` or `partitions`, more workers do not help: raise the limits, or
    `pressline topics --grow`.
    """
    rows = run(_rows)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    table = Table("Stage", "Pending", "Head age (s)", "Drained in (s)", "Workers", "Wants", "Bound by")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


async def _rows() -> list[Mapping[str, object]]:
    settings = Settings.load()
    backlog = await read_backlog(settings.need_brokers(), Stage)
    async with open_reports(settings) as store:
        reports = await store.live()
    rows = why_rows(backlog, reports)
    return [
        _row(stage, [r for r in rows if r.stage == stage], reports, settings.backlog_s) for stage in Stage
    ]


def _row(
    stage: Stage, rows: Sequence[WhyRow], reports: Sequence[WorkerWhy], backlog_s: float
) -> Mapping[str, object]:
    unowned = sum(row.pending for row in rows if row.cause in UNREPORTED)
    load = load_of(stage, reports, unowned=unowned, partitions=len({row.partition.partition for row in rows}))
    wanted = desired(load, backlog_s)
    head_at = min((row.head_at for row in rows if row.head_at is not None), default=None)
    rate = sum(why.finished_per_s for report in reports for why in report.stages if why.stage == stage)
    return {
        "stage": stage,
        "pending": load.pending,
        "head_age_s": round((datetime.now(UTC) - head_at).total_seconds(), 1) if head_at else None,
        "drain_s": round(load.pending / rate, 1) if rate else None,
        "workers": load.workers,
        "desired_workers": wanted.workers,
        "bound_by": wanted.bound_by,
    }


def _cell(value: object) -> str:
    return "" if value is None else str(value)
