"""What `pause`, `resume` and `drain` take: which scopes, who does it and why; and how they do it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from schemas.base import Lane, Stage
from schemas.control import WHY_CHARS_MAX, ControlAction, ScopeChanged
from schemas.scope import Scope, ScopeKind
from streams.cli.person import identifier, person
from streams.control_topic import append, control_tail
from streams.settings import Settings
from streams.topic_admin import create_missing

CLIENT_ID = "pressline-control"


def scope_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name scopes; `scopes_of` collects them."""
    for option in (
        click.option("--worker", multiple=True, callback=_names, help="One worker, by its id."),
        click.option("--model", multiple=True, callback=_names, help="Calls of that model."),
        click.option("--provider", multiple=True, callback=_names, help="Calls of that provider."),
        click.option("--tenant", multiple=True, callback=_names, help="Tasks of that tenant."),
        click.option(
            "--lane",
            multiple=True,
            type=click.Choice([lane.value for lane in Lane]),
            help="Tasks of that lane.",
        ),
        click.option(
            "--stage",
            multiple=True,
            type=click.Choice([stage.value for stage in Stage]),
            help="That stage, in all workers.",
        ),
    ):
        function = option(function)
    return function


def audit_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say who does it and why, and how it shows what it did."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object for each scope."),
        click.option("--by", callback=identifier, default=person, required=True, help="Who. Default: you."),
        click.option("--why", callback=_why, default="", help="Why; kept with the change."),
    ):
        function = option(function)
    return function


def scopes_of(options: dict[str, Any]) -> tuple[Scope, ...]:
    """Take the values of `scope_options` out of a command's options.

    Raises:
        click.UsageError: no scope is named.
    """
    scopes = tuple(Scope(kind, name) for kind in ScopeKind for name in options.pop(kind.value, ()))
    if not scopes:
        raise click.UsageError(
            "no scope is named: give --stage, --lane, --tenant, --provider, --model or --worker"
        )
    return scopes


async def change(
    settings: Settings, scopes: Sequence[Scope], action: ControlAction, *, by: str, why: str
) -> list[ScopeChanged]:
    """Write one change for each scope, and return them.

    Raises:
        SettingsError, KafkaError, TopicError: no broker, or it does not take them.
    """
    at = datetime.now(UTC)
    changes = [
        ScopeChanged(kind=scope.kind, name=scope.name, action=action, by=by, why=why, at=at)
        for scope in scopes
    ]
    brokers = settings.need_brokers()
    await create_missing(brokers, settings.partitions, settings.replication)
    await append(brokers, CLIENT_ID, changes)
    return changes


async def newest(settings: Settings) -> int:
    """Return the offset of the newest change.

    Raises:
        KafkaError: the broker does not answer.
    """
    async with control_tail(settings.need_brokers(), CLIENT_ID) as tail:
        return max((placed.offset for placed in await tail.read_to_end()), default=-1)


def show(changes: Sequence[ScopeChanged], *, as_json: bool) -> None:
    """Print what was done, a line for each scope."""
    for done in changes:
        click.echo(done.model_dump_json() if as_json else f"{done.action} {done.scope} by {done.by}")


def _names(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(identifier(context, parameter, value) for value in values)


def _why(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if len(value) > WHY_CHARS_MAX:
        raise click.BadParameter(f"has {len(value)} characters, at most {WHY_CHARS_MAX} are kept")
    return value
