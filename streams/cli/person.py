"""Who gives a command: options that name a person, and their default."""

import getpass

import click
from pydantic import TypeAdapter, ValidationError

from schemas.base import Identifier

NAME = TypeAdapter(Identifier)


def identifier(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the value of an option that takes a name; a click callback."""
    try:
        return NAME.validate_python(value)
    except ValidationError:
        raise click.BadParameter(f"{value!r} is not a name of letters, digits and . _ : @ / -") from None


def person() -> str | None:
    """Return the user's name, or None: in a container there may be none, and click asks for the option."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
