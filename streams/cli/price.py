"""`pressline price`: what raw usage objects of providers come to, in tokens and in US dollars."""

import codecs
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import click
from pydantic import ValidationError

from processors.errors import UnpricedModelError
from processors.gateway.catalogue import Catalogue
from processors.gateway.raw_usage import PricedUsage, RawUsage, UnreadableUsageError, moment_of, price_raw
from schemas.raw_usage import RawUsageLine
from streams.cli.exits import FAILED, WorkFailedError, exit_codes
from streams.cli.printable import one_line
from streams.models import written_catalogue
from streams.settings import Settings

LINE_BYTES_MAX = 1_048_576
LINE_BYTES_READ = LINE_BYTES_MAX + len(codecs.BOM_UTF8) + len(b"\r\n")
"""Enough to see that a line is too long, with all that does not count around it."""
ERROR_CHARS_MAX = 300


@click.command("price")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--providers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Catalogue whose own prices go first; default: that of the settings.",
)
@click.option("--json", "as_json", is_flag=True, help="A line for each row: tokens and prices, or error.")
@click.pass_context
def command(context: click.Context, file: Path, *, providers: Path | None, as_json: bool) -> None:
    """Price the raw usage objects of FILE: JSON lines with provider, model, usage, maybe api and date.

    A row that cannot be priced is told as an error and the rest goes on; the exit code is then 1.
    """
    with exit_codes():
        catalogue = written_catalogue(providers or Settings.load().providers)
        total, rows, errors = Decimal(0), 0, 0
        for number, line in _lines(file):
            row = _priced(number, line, catalogue)
            rows += 1
            total += Decimal(row.get("input_price", 0)) + Decimal(row.get("output_price", 0))
            errors += "error" in row
            click.echo(json.dumps(row) if as_json else _text(row))
        if not rows:
            raise WorkFailedError(f"{file} has no rows")
    if not as_json:
        click.echo(f"{total:f} USD, {errors} rows without a price")
    if errors:
        context.exit(FAILED)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank with their numbers from 1, without byte order mark and line end."""
    try:
        with file.open("rb") as opened:
            for number, line in enumerate(iter(lambda: _next_line(opened), b""), 1):
                content = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).rstrip(b"\r\n")
                if content.strip() or len(content) > LINE_BYTES_MAX:
                    yield number, content
    except OSError as error:
        raise WorkFailedError(f"{file} cannot be read: {error.strerror}") from error


def _next_line(opened: BinaryIO) -> bytes:
    """Return the next line with its end, b"" behind the last; a longer one's rest is passed over."""
    line = rest = opened.readline(LINE_BYTES_READ)
    while len(rest) == LINE_BYTES_READ and not rest.endswith(b"\n"):  # bounded by the file
        rest = opened.readline(LINE_BYTES_READ)
    return line


def _priced(number: int, line: bytes, catalogue: Catalogue) -> dict[str, Any]:
    told: dict[str, Any] = {"line": number}
    if len(line) > LINE_BYTES_MAX:
        return told | {"error": f"the line has more than {LINE_BYTES_MAX} bytes"}
    try:
        row = RawUsageLine.model_validate_json(line)
        told |= row.model_dump(mode="json", exclude_none=True)
        raw = RawUsage(
            provider=row.provider,
            model=row.model,
            usage=row.usage,
            api=row.api,
            moment=moment_of(row.date, datetime.now(UTC)),
        )
        return told | _figures(price_raw(raw, catalogue))
    except ValidationError as error:
        return told | {"error": _summary(error)}
    except (UnreadableUsageError, UnpricedModelError) as error:
        return told | {"error": str(error)[:ERROR_CHARS_MAX]}


def _figures(priced: PricedUsage) -> dict[str, Any]:
    usage = priced.usage
    prices = {"input_price": priced.cost.input, "output_price": priced.cost.output}
    return {
        "input": usage.input,
        **usage.model_dump(),
        **{name: f"{price.normalize():f}" for name, price in prices.items()},
    }


def _summary(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where + ': ' if where else ''}{first['msg']}"[:ERROR_CHARS_MAX]


def _text(row: Mapping[str, Any]) -> str:
    name = f"{row['line']}: {row.get('provider', '?')} {row.get('model', '?')}"
    if "error" in row:
        return one_line(f"{name}: error: {row['error']}")
    tokens = ", ".join(f"{key} {row[key]}" for key in ("input", "output") if row[key])
    return one_line(f"{name}: {tokens}; {row['input_price']} + {row['output_price']} USD")
