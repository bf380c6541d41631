"""`pressline budgets`: what is booked on each budget, and its counters made anew from the ledger."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from streams.budgets import BudgetLine, budget_lines, configured_budgets
from streams.cli.exits import run
from streams.settings import Settings
from streams.store.budget_counters import PostgresBudgetCounters
from streams.store.migrations import migrated

WIDTH = 150
"""Columns of a table that no terminal shows."""


@click.group("budgets")
def command() -> None:
    """Budgets of PRESSLINE_BUDGETS: what is spent, reserved and left."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each budget.")
def list_command(*, as_json: bool) -> None:
    """Show each budget in its present window: limits, settled, reserved, left, and when the window ends.

    A budget for each name of a scope stands once for each of those that spent most. Simulated calls are
    booked apart from real ones.
    """
    lines = [_plain(line) for line in run(_lines)]
    if as_json:
        for line in lines:
            click.echo(json.dumps(line))
        return
    if not lines:
        click.echo("no budgets: PRESSLINE_BUDGETS names no file, or one without any")
        return
    table = Table("Scope", "Name", "Window", "Soft", "Hard", "Settled", "Reserved", "Left", "Ends", "Calls")
    for line in lines:
        calls = "simulated" if line.pop("simulated") else "real"
        table.add_row(*("" if value is None else str(value) for value in line.values()), calls)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


@command.command("rebuild")
def rebuild() -> None:
    """Count what is booked anew from the ledger; model calls wait meanwhile.

    Nobody has to: counters that are missing are made before the next call.
    """
    click.echo(f"{run(_rebuild)} counters made from the ledger")


async def _lines() -> Sequence[BudgetLine]:
    settings = Settings.load()
    rules = configured_budgets(settings)
    async with _counters(settings) as counters:
        # Else a budget that was added, and that no call has met yet, would show nothing.
        await counters.count({(rule.scope, rule.window) for rule in rules})
        return list(budget_lines(rules, await counters.current(rules), datetime.now(UTC)))


async def _rebuild() -> int:
    settings = Settings.load()
    rules = configured_budgets(settings)
    async with _counters(settings) as counters:
        return await counters.rebuild({(rule.scope, rule.window) for rule in rules})


@asynccontextmanager
async def _counters(settings: Settings) -> AsyncIterator[PostgresBudgetCounters]:
    async with migrated(settings.need_database()) as database:
        yield PostgresBudgetCounters(database)


def _plain(line: BudgetLine) -> dict[str, str | bool | None]:
    """Amounts are text: JSON has no exact decimals."""
    rule = line.rule
    return {
        "scope": rule.scope,
        "name": line.name,
        "window": rule.window,
        "soft_usd": None if rule.soft_usd is None else f"{rule.soft_usd:f}",
        "hard_usd": None if rule.hard_usd is None else f"{rule.hard_usd:f}",
        "settled_usd": f"{line.standing.settled_usd:f}",
        "reserved_usd": f"{line.standing.reserved_usd:f}",
        "left_usd": f"{line.left_usd:f}",
        "ends_at": None if line.ends_at is None else line.ends_at.isoformat(),
        "simulated": line.simulated,
    }
