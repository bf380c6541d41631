"""`pressline task`: what happened to one task, and why."""

import sys
from datetime import UTC, datetime

import click
from aiokafka.errors import KafkaError
from rich.console import Console

from schemas.base import Stage
from streams.backlog import read_backlog
from streams.cli.exits import run
from streams.cli.task_store import TaskStore, open_tasks, read_path
from streams.cli.task_text import json_line, parts, plain
from streams.settings import Settings
from streams.task_path import TaskPath
from streams.task_where import Where, where_in_partition, where_unknown, where_without_broker
from streams.why_view import why_rows

WIDTH = 200
"""Columns of a table that no terminal shows."""


@click.group("task")
def command() -> None:
    """One task: its path step by step."""


@command.command("show")
@click.argument("name", metavar="ID")
@click.option("--submission", help="Which submission of the task. Default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(*, name: str, submission: str | None, as_json: bool) -> None:
    """Show the path of the task or submission ID: plan, calls, checks, waits, cost, and where it is now."""
    path, where = run(lambda: _read(name, submission))
    if as_json:
        click.echo(json_line(plain(path, where)))
        return
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for part in parts(path, where):
        console.print(part)


async def _read(name: str, submission: str | None) -> tuple[TaskPath, Where | None]:
    settings = Settings.load()
    async with open_tasks(settings) as store:
        path = await read_path(store, name, submission)
        if path.outcome is not None:
            return path, None
        return path, where_without_broker(path, datetime.now(UTC)) or await _where(settings, store, path)


async def _where(settings: Settings, store: TaskStore, path: TaskPath) -> Where:
    if settings.brokers is None:
        return where_unknown(path, "no broker runs; `pressline up` starts one")
    try:
        backlog = await read_backlog(settings.brokers, list(Stage))
    except (KafkaError, TimeoutError) as error:
        return where_unknown(path, f"the broker does not answer: {type(error).__name__}")
    return where_in_partition(path, why_rows(backlog, await store.reports.live()))
