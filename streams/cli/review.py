"""`pressline review`: the pages that a machine may not decide on, and a person's decision."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import click
from aiokafka.errors import KafkaError
from rich.console import Console

from schemas.events import MESSAGE_CHARS_MAX
from streams.claim_producer import ClaimCheckProducer
from streams.cli.exits import FAILED, WorkFailedError, run
from streams.cli.person import identifier, person
from streams.cli.review_text import json_line, plain, plain_page, review_table, review_text
from streams.reviews import ReviewDesk, ReviewError
from streams.settings import Settings
from streams.store.claim_checks import PostgresClaimStore
from streams.store.database import Database
from streams.store.migrations import migrated
from streams.store.reviews import PostgresReviews, Review
from streams.store.tasks import PostgresTaskIndex

CONNECTIONS_MAX = 2
PENDING_MAX = 1000
WIDTH = 160
"""Columns of a table that no terminal shows."""


@click.group("review")
def command() -> None:
    """Pages that wait for a person: list them, read them, approve or reject them."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(*, as_json: bool) -> None:
    """Show the pages that wait, the longest waiting first."""

    async def work() -> Sequence[Review]:
        async with _database() as database:
            return await PostgresReviews(database).pending(PENDING_MAX)

    pending = run(work)
    if as_json:
        for review in pending:
            click.echo(json_line(plain(review)))
        return
    if pending:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(review_table(pending))
    more = "; there may be more" if len(pending) == PENDING_MAX else ""
    click.echo(f"{len(pending)} waiting for a person{more}")


@command.command("show")
@click.argument("submission_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(*, submission_id: str, as_json: bool) -> None:
    """Show one page: why it waits, what the checks saw, its Markdown."""

    async def work() -> Review:
        async with _database() as database:
            review = await PostgresReviews(database).get(submission_id)
        if review is None:
            raise WorkFailedError(
                f"{submission_id}: no page of this submission was held; see `pressline review list`"
            )
        return review

    review = run(work)
    click.echo(json_line(plain_page(review)) if as_json else review_text(review))


def _decision(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command what both decisions take."""
    for option in (
        click.option("--reason", callback=_reason, default="", help="Why; kept with the decision."),
        click.option(
            "--reviewer",
            callback=identifier,
            default=person,
            required=True,
            help="Who decides. Default: you.",
        ),
        click.argument("submission_ids", metavar="ID...", nargs=-1, required=True),
    ):
        function = option(function)
    return function


def _reason(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if len(value) > MESSAGE_CHARS_MAX:
        raise click.BadParameter(f"has {len(value)} characters, at most {MESSAGE_CHARS_MAX} are kept")
    return value


@command.command("approve")
@_decision
def approve(**decision: Any) -> None:
    """Publish pages; the same decision again only sends it again."""
    run(lambda: _decide(approved=True, **decision))


@command.command("reject")
@_decision
def reject(**decision: Any) -> None:
    """End tasks as rejected; the same decision again only sends it again."""
    run(lambda: _decide(approved=False, **decision))


async def _decide(*, submission_ids: Sequence[str], approved: bool, reviewer: str, reason: str) -> None:
    word, failed = "approved" if approved else "rejected", 0
    async with _desk() as desk:
        for submission_id in submission_ids:
            at = datetime.now(UTC)
            try:
                await desk.decide(submission_id, approved=approved, reviewer=reviewer, reason=reason, at=at)
            except ReviewError as error:
                click.echo(f"pressline: {error}", err=True)
                failed += 1
            except KafkaError as error:
                raise WorkFailedError(
                    f"{submission_id}: {word}, but the broker did not take it ({error}): run it again"
                ) from error
            else:
                click.echo(f"{submission_id} {word} by {reviewer}")
    if failed:
        sys.exit(FAILED)


@asynccontextmanager
async def _desk() -> AsyncIterator[ReviewDesk]:
    async with _database() as database:
        # Connected before anything is decided: a broker that is away leaves nothing half done.
        producer = ClaimCheckProducer(
            Settings.load().need_brokers(), "pressline-review", PostgresClaimStore(database)
        )
        try:
            await producer.start()
            yield ReviewDesk(PostgresReviews(database), PostgresTaskIndex(database), producer)
        finally:
            await producer.stop()


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    async with migrated(Settings.load().need_database(), CONNECTIONS_MAX) as database:
        yield database
