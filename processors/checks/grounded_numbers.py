"""Every number on the page comes from the row."""

import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from pydantic import Field

from processors.checks.page import PageUnderCheck, excerpt, findings_of
from processors.checks.printed import Number, Printed, printed_numbers
from processors.checks.row import row_numbers
from schemas.base import Message, Ratio, Severity
from schemas.events import Finding

NAME = "grounded-numbers"
LIST_MARK = re.compile(r"^[ \t>]*(?:#{1,6}[ \t]+)?\d{1,3}[.)][ \t]", re.MULTILINE)
PERCENT = 100.0


class Settings(Message):
    """Which numbers need no source, and how exact the others are.

    Small whole numbers count things on the page (`3 ways`, `step 2`), so they pass unless money or percent
    stands beside them; an invented price or share harms most, so those are always errors.
    """

    small_up_to: int = Field(12, ge=0, description="Whole numbers from 0 to this need no source.")
    allowed: tuple[float, ...] = Field((), description="Other numbers that need none, such as 24 for hours.")
    rounding: bool = Field(
        True, description="A row value may be printed rounded: 3,412,000 as 3.4 million, 12.7 as 13."
    )
    relative_tolerance: Ratio = Field(
        0.0, description="How far off a number may be, as a share of the value."
    )
    other: Severity = Field(Severity.WARN, description="Severity for numbers without money or percent.")


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:
    """Return a finding for each number of title, description and body that is not in the inputs.

    Thousands separators, decimal commas, glued units, ordinals and parts of dates are understood; signs and
    numbers in words are not looked at; a share may stand in the row as 0.15 or 15 for 15 %.
    """
    return findings_of(NAME, _seen(page, settings))


def _seen(page: PageUnderCheck, settings: Settings) -> Iterator[tuple[Severity, str]]:
    known = sorted([*row_numbers(page.inputs), *settings.allowed])
    document = page.document
    body = LIST_MARK.sub(" ", f"{page.prose}\n{page.code}")
    seen: set[str] = set()
    for place, text in (("title", document.title), ("description", document.description), ("body", body)):
        for printed in printed_numbers(text):
            if printed.text not in seen and not _grounded(printed, known, settings):
                seen.add(printed.text)
                severity = Severity.ERROR if printed.percent or printed.money else settings.other
                yield severity, f"the number {excerpt(printed.text)} in the {place} is in no value of the row"


def _grounded(printed: Printed, known: Sequence[float], settings: Settings) -> bool:
    if printed.plain and printed.readings[0][0].value <= settings.small_up_to:
        return True
    readings = printed.readings
    if printed.percent:
        shares = tuple(tuple(Number(n.value / PERCENT, n.unit / PERCENT) for n in r) for r in readings)
        readings += shares
    return any(all(_near(number, known, settings) for number in reading) for reading in readings)


def _near(number: Number, known: Sequence[float], settings: Settings) -> bool:
    """Whether one of the two neighbours of the number among the known ones is close enough."""
    at = bisect_left(known, number.value)
    return any(_close(number, value, settings) for value in known[max(at - 1, 0) : at + 1])


def _close(number: Number, value: float, settings: Settings) -> bool:
    half = number.unit / 2 if settings.rounding else 0.0
    return math.isclose(
        number.value, value, rel_tol=max(settings.relative_tolerance, 1e-9), abs_tol=half * (1 + 1e-9)
    )
