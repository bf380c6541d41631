"""What the commands of `pressline dead-letters` take alike: positions, ages, filters."""

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from schemas.failures import FailureReason
from streams.dead_letters import NUMBER_DIGITS_MAX, STAGES, UNKNOWN, Position, Wanted

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
AGE = re.compile(r"(\d{1,6})([smhd])")


class PositionType(click.ParamType):
    """`topic/partition/offset` of a dead letter."""

    name = "TOPIC/PARTITION/OFFSET"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Position:
        """Return the position, or fail as wrong use."""
        topic, *numbers = str(value).split("/")
        if topic not in STAGES:
            self.fail(f"{topic!r} is not among {', '.join(STAGES)}", param, ctx)
        numeric = all(n.isdecimal() and len(n) <= NUMBER_DIGITS_MAX for n in numbers)
        if len(numbers) != len(("partition", "offset")) or not numeric:
            self.fail(f"{value!r} is not TOPIC/PARTITION/OFFSET, such as {topic}/0/17", param, ctx)
        return Position(topic, int(numbers[0]), int(numbers[1]))


class AgeType(click.ParamType):
    """A span of time up to now; converted to the moment that it began."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment (aware), or fail as wrong use."""
        match = AGE.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a number and one of s, m, h, d, such as 90s or 1h", param, ctx)
        try:
            return datetime.now(UTC) - timedelta(**{UNITS[match[2]]: int(match[1])})
        except OverflowError:
            self.fail(f"{value!r} reaches back before the calendar begins", param, ctx)


POSITION = PositionType()
FILTERS = {
    "stage": click.option(
        "--stage",
        type=click.Choice([str(stage) for stage in STAGES.values()]),
        help="Given up by this stage.",
    ),
    "reason": click.option(
        "--reason",
        type=click.Choice([*(reason.value for reason in FailureReason), UNKNOWN]),
        metavar="REASON",
        help="For this reason, such as provider_timeout.",
    ),
    "error_class": click.option("--error", "error_class", metavar="CLASS", help="With this exception class."),
    "fingerprint": click.option("--fingerprint", help="Of this kind, as `list` shows it."),
    "batch_id": click.option("--batch", "batch_id", metavar="ID", help="Of this load."),
    "since": click.option("--since", type=AgeType(), help="Given up in the last 90s, 30m, 1h, 2d, …"),
}


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the filter options, and their values as its first argument, a `Wanted`."""

    @functools.wraps(command)
    def with_wanted(**options: Any) -> None:
        filters = {name: options.pop(name) for name in FILTERS}
        positions = frozenset(options.pop("positions", ()))
        command(Wanted(**filters, positions=positions), **options)

    wrapped: Callable[..., None] = with_wanted
    for option in reversed(FILTERS.values()):
        wrapped = option(wrapped)
    return wrapped
