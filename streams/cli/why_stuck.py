"""`pressline why-stuck`: what each partition waits for, and what to do."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from schemas.base import Stage
from schemas.why import Cause
from streams.backlog import read_backlog
from streams.cli.exits import run
from streams.cli.printable import one_line
from streams.cli.report_store import open_reports
from streams.settings import Settings
from streams.why_view import WhyRow, why_rows

WIDTH = 200
"""Columns of a table that no terminal shows."""


@click.command("why-stuck")
@click.option("--stage", type=click.Choice([stage.value for stage in Stage]), help="That stage only.")
@click.option("--all", "everything", is_flag=True, help="Partitions that are done and held, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each partition.")
def command(*, stage: str | None, everything: bool, as_json: bool) -> None:
    """Show for each partition its backlog, its oldest unfinished record and what that waits for."""
    stages = [Stage(stage)] if stage else list(Stage)
    rows = run(lambda: _rows(stages))
    shown = [row for row in rows if everything or row.cause is not Cause.IDLE]
    if as_json:
        for row in shown:
            click.echo(json.dumps(_plain(row)))
        return
    if shown:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(shown, datetime.now(UTC)))
    click.echo(f"{sum(row.pending for row in rows)} records pending in {len(rows)} partitions")


async def _rows(stages: Sequence[Stage]) -> tuple[WhyRow, ...]:
    settings = Settings.load()
    backlog = await read_backlog(settings.need_brokers(), stages)
    async with open_reports(settings) as reports:
        return why_rows(backlog, await reports.live())


def _plain(row: WhyRow) -> dict[str, object]:
    plain = asdict(row) | {"topic": row.partition.topic, "partition": row.partition.partition}
    for name in ("since", "head_at"):
        moment = getattr(row, name)
        plain[name] = moment.isoformat() if moment else None
    return plain | {"todo": row.todo}


def _table(rows: Sequence[WhyRow], now: datetime) -> Table:
    table = Table("Stage", "Partition", "Pending", "Head age", "Waits for", "Since", "Worker", "What to do")
    for row in rows:
        topic, number = row.partition
        table.add_row(
            row.stage,
            f"{topic.removeprefix('pressline.')}-{number}",
            str(row.pending),
            _ago(row.head_at, now),
            one_line(f"{row.cause} {row.detail}".strip()),
            _ago(row.since, now),
            row.worker or "nobody",
            row.todo,
        )
    return table


def _ago(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else f"{max(0.0, (now - moment).total_seconds()):.0f} s"
