"""Options of `pressline load` whose values are more than text."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

import click


class TimeType(click.ParamType):
    """An RFC 3339 time."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, aware; click shows what was expected when it is none."""
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            self.fail(f"{value!r} is no time such as 2026-01-31T18:00:00+01:00", param, ctx)
        return time


class MoneyType(click.ParamType):
    """An amount of US dollars above 0."""

    name = "usd"

    def convert(
        self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Return the amount; click shows what was expected when it is none."""
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal(0)
        if not (amount.is_finite() and amount > 0):
            self.fail(f"{value!r} is no amount of US dollars above 0, such as 0.05", param, ctx)
        return amount


def parse_renames(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> Mapping[str, str]:
    """Return the input by column of `--map COLUMN=INPUT`; an empty input leaves the column out."""
    del context, parameter
    renames: dict[str, str] = {}
    for value in values:
        column, equals, name = value.rpartition("=")
        if not (column and equals):
            raise click.BadParameter(f"{value!r}, expected COLUMN=INPUT, or COLUMN= to leave a column out")
        if column in renames:
            raise click.BadParameter(f"column {column!r} is named twice")
        renames[column.strip()] = name.strip()
    return renames


def parse_delimiter(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return one character; `tab` and backslash-t are the tabulator."""
    del context, parameter
    character = {"tab": "\t", "\\t": "\t"}.get(value or "", value)
    if character is not None and (len(character) != 1 or character in '"\r\n'):
        raise click.BadParameter(f"{value!r}, expected one character, or `tab`")
    return character
