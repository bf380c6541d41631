"""`pressline pause`: hold back stages, lanes, tenants, providers, models or workers; show what is held."""

import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from schemas.control import ControlAction, ScopeChanged
from streams.cli.exits import run
from streams.cli.printable import one_line
from streams.cli.scope_options import CLIENT_ID, audit_options, change, scope_options, scopes_of, show
from streams.control import HeldScopes
from streams.control_topic import PlacedChange, control_tail
from streams.settings import Settings
from streams.topic_admin import create_missing

WIDTH = 160
"""Columns of a table that no terminal shows."""


@click.command("pause")
@scope_options
@audit_options
@click.option("--list", "listed", is_flag=True, help="Show what is held back, by whom and since when.")
@click.option("--history", is_flag=True, help="Show every change of the last year, the newest last.")
def command(*, listed: bool, history: bool, as_json: bool, by: str, why: str, **scopes: Any) -> None:
    """Hold work back: records wait where they are, calls in flight end, nothing is lost.

    `pressline resume` lets it go on; workers follow both within a second.
    """
    if listed or history:
        placed = run(_history)
        _print([p.change for p in placed] if history else _held(placed), as_json=as_json)
        return
    wanted = scopes_of(scopes)
    show(run(lambda: change(Settings.load(), wanted, ControlAction.PAUSED, by=by, why=why)), as_json=as_json)


async def _history() -> list[PlacedChange]:
    settings = Settings.load()
    brokers = settings.need_brokers()
    await create_missing(brokers, settings.partitions, settings.replication)
    async with control_tail(brokers, CLIENT_ID) as tail:
        return await tail.read_to_end()


def _held(placed: Sequence[PlacedChange]) -> Sequence[ScopeChanged]:
    scopes = HeldScopes()
    scopes.apply(placed)
    return scopes.held


def _print(changes: Sequence[ScopeChanged], *, as_json: bool) -> None:
    if as_json:
        for one in changes:
            click.echo(one.model_dump_json())
    elif changes:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(changes))
    else:
        click.echo("nothing is held back")


def _table(changes: Sequence[ScopeChanged]) -> Table:
    table = Table("Scope", "Action", "By", "At", "Why")
    for one in changes:
        table.add_row(str(one.scope), one.action, one.by, f"{one.at:%Y-%m-%d %H:%M:%S %Z}", one_line(one.why))
    return table
