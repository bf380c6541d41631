"""`pressline doctor`: check everything that Pressline needs."""

import json
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.exits import PART_MISSING, run
from streams.doctor.examine import examine
from streams.doctor.finding import Finding, Status
from streams.settings import Settings

STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}
WIDTH = 160
"""Columns of a table that no terminal shows."""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(*, as_json: bool) -> None:
    """Check everything that Pressline needs, and say what to do. Changes nothing.

    Exits with 3 when a part is missing without which it cannot work.
    """

    async def work() -> list[Finding]:
        return [finding async for finding in examine(Settings.load())]

    findings = run(work)
    if as_json:
        for finding in findings:
            click.echo(json.dumps(asdict(finding)))
    else:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(findings))
        click.echo(_summary(findings))
    if any(finding.status is Status.FAIL for finding in findings):
        sys.exit(PART_MISSING)


def _table(findings: list[Finding]) -> Table:
    table = Table("Check", "", "Seen", "What to do")
    for finding in findings:
        # As Text: a path or an address with brackets in it is no markup.
        status = Text(finding.status, style=STYLES[finding.status])
        table.add_row(finding.check, status, Text(finding.seen), Text(finding.todo))
    return table


def _summary(findings: list[Finding]) -> str:
    failed = [finding.check for finding in findings if finding.status is Status.FAIL]
    if failed:
        return f"missing: {', '.join(failed)}"
    if any(finding.check == "brokers" and finding.status is Status.WARN for finding in findings):
        return "ready: `pressline up` starts everything"
    return "ready"
