"""`pressline drain`: pause, and wait until nothing of the scope is at work any more."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import click

from schemas.control import ControlAction
from schemas.scope import Scope, ScopeKind
from schemas.why import WorkerWhy
from streams.cli.exits import WorkFailedError, run
from streams.cli.report_store import open_reports
from streams.cli.scope_options import audit_options, change, newest, scope_options, scopes_of, show
from streams.settings import Settings
from streams.store.reports import PostgresReports

POLL_S = 1.0
WAIT_S_MAX = 3600.0


@click.command("drain")
@scope_options
@audit_options
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, WAIT_S_MAX),
    default=300.0,
    show_default=True,
    help="Seconds to wait until nothing is at work.",
)
def command(*, as_json: bool, by: str, why: str, wait_s: float, **scopes: Any) -> None:
    """Take nothing more of a scope and wait until what is at work has ended; it stays held back.

    Exits with 1 when something is still at work after the wait. `pressline resume` lets it go on.
    """
    wanted = scopes_of(scopes)

    async def work() -> Sequence[Any]:
        settings = Settings.load()
        async with open_reports(settings) as reports:
            _check_workers(await reports.live(), wanted)
            changes = await change(settings, wanted, ControlAction.DRAINED, by=by, why=why)
            await _wait(reports, wanted, await newest(settings), wait_s)
        return changes

    show(run(work), as_json=as_json)


def _check_workers(reports: Sequence[WorkerWhy], scopes: Sequence[Scope]) -> None:
    live = {report.worker_id for report in reports}
    for scope in scopes:
        if scope.kind is ScopeKind.WORKER and scope.name not in live:
            raise WorkFailedError(
                f"no {scope} is alive, expected one of: {', '.join(sorted(live)) or 'none'}"
            )


async def _wait(reports: PostgresReports, scopes: Sequence[Scope], offset: int, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    shown = ""
    while state := at_work(await reports.live(), scopes, offset):
        if state != shown:
            click.echo(f"waiting: {state}", err=True)
            shown = state
        if time.monotonic() >= deadline_s:
            raise WorkFailedError(f"not drained after {wait_s:g} s: {state}; the scope stays held back")
        await asyncio.sleep(POLL_S)


def at_work(reports: Sequence[WorkerWhy], scopes: Sequence[Scope], offset: int) -> str:
    """Return what is still to be waited for in words; empty when there is nothing.

    Args:
        reports: of the workers that are alive.
        scopes: what is drained.
        offset: of the newest change that workers must follow: before that they may take more.
    """
    behind = [report.worker_id for report in reports if report.control_offset < offset]
    count = sum(_active(report, scope) for report in reports for scope in scopes)
    parts = [f"{count} at work"] if count else []
    parts += [f"not told yet: {', '.join(behind)}"] if behind else []
    return "; ".join(parts)


def _active(report: WorkerWhy, scope: Scope) -> int:
    if scope.kind is ScopeKind.WORKER:
        stages = report.stages if report.worker_id == scope.name else ()
        return sum(stage.active.get("all", 0) for stage in stages)
    if scope.kind is ScopeKind.STAGE:
        return sum(stage.active.get("all", 0) for stage in report.stages if stage.stage == scope.name)
    return sum(stage.active.get(str(scope), 0) for stage in report.stages)
