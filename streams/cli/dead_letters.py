"""`pressline dead-letters`: what the stages gave up on; list it, show it, export it, send it back."""

import getpass
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, TextIO

import click
from rich.console import Console
from rich.table import Table

from processors.errors import ClaimLostError
from streams.claim_producer import ClaimCheckProducer
from streams.cli.dead_letter_options import POSITION, filtered
from streams.cli.dead_letter_text import (
    exported,
    group_table,
    json_line,
    letter_table,
    letter_text,
    plain,
    plain_group,
    plan_text,
    replayed_text,
)
from streams.cli.exits import FAILED, WorkFailedError, run
from streams.dead_letter_search import DeadLetterSearch
from streams.dead_letters import DeadLetter, Groups, Position, Wanted
from streams.letter_claims import whole_letter
from streams.replay import PLAN_MAX, Replayed, Replayer, ReplayPlan, plan_replay
from streams.settings import Settings
from streams.store.claim_checks import PostgresClaimStore
from streams.store.migrations import migrated
from streams.store.replays import PostgresReplays

CONNECTIONS_MAX = 2
ROWS_SHOWN_MAX = 200
WIDTH = 180
"""Columns of a table that no terminal shows."""
RATE = 50


@dataclass(slots=True)
class Totals:
    """Letters seen by a command: taken, and left out since they were sent back before."""

    taken: int = 0
    replayed: int = 0


@click.group("dead-letters")
def command() -> None:
    """What the stages gave up on: list it, show it, export it, send it back."""


@command.command("list")
@filtered
@click.option("--all", "everything", is_flag=True, help="Also those that were sent back before.")
@click.option("--each", is_flag=True, help="One row for each letter, not for each kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; totals go to stderr.")
def list_command(wanted: Wanted, *, everything: bool, each: bool, as_json: bool) -> None:
    """Show dead letters, grouped by kind: stage, exception class, message without its values."""
    listing = _list_each if each else _list_kinds
    totals = listing(wanted, everything=everything, as_json=as_json)
    click.echo(_totals_text(totals, everything=everything), err=as_json)


@command.command("show")
@click.argument("position", type=POSITION)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; bytes as base64.")
def show(*, position: Position, as_json: bool) -> None:
    """Show one dead letter with its headers and its value."""
    found: list[DeadLetter] = []
    wanted = Wanted(positions=frozenset((position,)))

    async def work() -> DeadLetter:
        await _visit(wanted, found.append, everything=True, whole=True)
        if not found:
            raise WorkFailedError(
                f"no dead letter is at {position}; `pressline dead-letters list --each` helps"
            )
        return found[0]

    letter = run(work)
    click.echo(json_line(exported(letter)) if as_json else letter_text(letter))


@command.command("export")
@filtered
@click.option("--all", "everything", is_flag=True, help="Also those that were sent back before.")
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", help="Default: stdout.")
def export(wanted: Wanted, *, everything: bool, out: TextIO) -> None:
    """Write dead letters as JSON lines; key, value and headers byte for byte, as base64."""

    def take(letter: DeadLetter) -> None:
        click.echo(json_line(exported(letter)), file=out)

    totals = run(lambda: _visit(wanted, take, everything=everything, whole=True))
    click.echo(_totals_text(totals, everything=everything), err=True)


@command.command("replay")
@click.argument("positions", type=POSITION, nargs=-1)
@filtered
@click.option("--rate", type=click.IntRange(1, 10_000), default=RATE, show_default=True, help="Per second.")
@click.option("--limit", type=click.IntRange(1, PLAN_MAX), default=PLAN_MAX, help="Most letters to send.")
@click.option("--force", is_flag=True, help="Also those that came back again and again.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(wanted: Wanted, *, rate: int, limit: int, force: bool, dry_run: bool, yes: bool) -> None:
    """Send dead letters back to the topics where they failed: each once, key and value untouched.

    Without POSITIONS and filters: all that were not sent back before.
    """
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError("there is no terminal to ask at: add --yes to send, or --dry-run to look")
    plan = run(lambda: _plan(wanted, limit=limit, force=force))
    click.echo(plan_text(plan))
    if dry_run or not plan.positions:
        return
    if not yes:
        click.confirm("Send them?", abort=True)
    done = run(lambda: _replay(plan, rate))
    click.echo(replayed_text(done))
    if done.failed:
        sys.exit(FAILED)


def _list_kinds(wanted: Wanted, *, everything: bool, as_json: bool) -> Totals:
    groups = Groups()
    totals = run(lambda: _visit(wanted, groups.add, everything=everything))
    kinds = groups.largest_first()
    if as_json:
        for group in kinds:
            click.echo(json_line(plain_group(group)))
    elif kinds:
        _print(group_table(kinds))
    return totals


def _list_each(wanted: Wanted, *, everything: bool, as_json: bool) -> Totals:
    rows: list[DeadLetter] = []

    def take(letter: DeadLetter) -> None:
        if as_json:
            click.echo(json_line(plain(letter)))
        elif len(rows) < ROWS_SHOWN_MAX:
            rows.append(replace(letter, key=None, value=None, headers=()))

    totals = run(lambda: _visit(wanted, take, everything=everything))
    if rows:
        _print(letter_table(rows))
    if len(rows) == ROWS_SHOWN_MAX < totals.taken:
        click.echo(f"the first {ROWS_SHOWN_MAX} are shown; --json has all of them")
    return totals


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


async def _visit(
    wanted: Wanted, take: Callable[[DeadLetter], object], *, everything: bool, whole: bool = False
) -> Totals:
    totals = Totals()
    async with _searching(wanted) as opened:
        async for letters in opened.search:
            for letter in letters:
                if letter.replayed_at is not None and not everything:
                    totals.replayed += 1
                    continue
                totals.taken += 1
                take(await _whole(letter, opened.claims) if whole else letter)
    return totals


async def _whole(letter: DeadLetter, claims: PostgresClaimStore) -> DeadLetter:
    try:
        return await whole_letter(letter, claims)
    except ClaimLostError as error:
        click.echo(f"{letter.position}: only the reference is left: {error}", err=True)
        return letter


async def _plan(wanted: Wanted, *, limit: int, force: bool) -> ReplayPlan:
    async with _searching(wanted) as opened:
        plan = await plan_replay(opened.search, limit=limit, force=force)
    if plan.wanted == 0:
        raise WorkFailedError(
            f"no dead letter matches, of {opened.search.scanned} looked at;"
            " `pressline dead-letters list` shows them"
        )
    return plan


async def _replay(plan: ReplayPlan, rate: int) -> Replayed:
    replay_id = str(uuid.uuid4())
    click.echo(f"replay {replay_id}, at most {rate} a second")
    async with _searching(Wanted(positions=plan.positions)) as opened:
        client_id = f"pressline-replay-{replay_id[:8]}"
        producer = ClaimCheckProducer(Settings.load().need_brokers(), client_id, opened.claims)
        try:
            await producer.start()
            replayer = Replayer(
                opened.replays, producer, opened.claims, replay_id=replay_id, by=_person(), rate=rate
            )
            return await replayer.run(opened.search)
        finally:
            await producer.stop()


class Opened(NamedTuple):
    """What commands about dead letters work with, connected."""

    search: DeadLetterSearch
    replays: PostgresReplays
    claims: PostgresClaimStore


@asynccontextmanager
async def _searching(wanted: Wanted) -> AsyncIterator[Opened]:
    settings = Settings.load()
    brokers = settings.need_brokers()
    async with migrated(settings.need_database(), CONNECTIONS_MAX) as database:
        replays = PostgresReplays(database)
        search = DeadLetterSearch(brokers, replays, wanted)
        try:
            await search.start()
            yield Opened(search, replays, PostgresClaimStore(database))
        finally:
            await search.stop()


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"


def _totals_text(totals: Totals, *, everything: bool) -> str:
    text = f"{totals.taken} dead letters"
    if totals.replayed and not everything:
        text += f"; {totals.replayed} more were sent back before, --all shows them"
    return text
