"""Numbers in a text: where they stand, and what they may mean."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

SEPARATORS = ".,'\u2019\u00a0\u202f"
NUMBER = re.compile(
    r"(?=[\d$\u20ac\u00a3\u00a5\u20b9UEG])"  # what a match can start with; without it the scan is slower
    r"(?P<before>[$\u20ac\u00a3\u00a5\u20b9]\s?|\b(?:USD|EUR|GBP)\s)?"
    rf"(?P<run>\d+(?:[{SEPARATORS}]\d+)*)"
    r"(?P<scale>[\s-](?:thousand|million|billion|trillion)\b|[kKM]\b|bn\b)?"
    r"(?P<after>\s?(?:%|percent\b|per\scent\b|[$\u20ac\u00a3\u00a5\u20b9]"
    r"|USD\b|EUR\b|GBP\b|dollars?\b|euros?\b|pounds?\b))?"
)
SCALE_MARKS = re.compile(r"[\s-]")
SPLIT = re.compile(rf"[{SEPARATORS}]")
SCALES = {"thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12}
GROUP_DIGITS = 3
LAKH_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Number:
    """One reading of a number.

    Attributes:
        value: without its sign, since a hyphen before a number is rarely a minus.
        unit: worth of the last printed digit, such as 0.1 for 3.4 and 100,000 for 3.4 million.
    """

    value: float
    unit: float


Reading = tuple[Number, ...]
"""What a printed number may mean: one number, or several for a date or a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A number as it stands in a text.

    Attributes:
        text: as printed, with its unit if that is money, percent or a scale.
        readings: what it may mean.
        percent: whether a percent sign or word follows.
        money: whether a currency stands beside it.
        plain: whether it is digits only: no separator, no scale, no percent, no money.
    """

    text: str
    readings: tuple[Reading, ...]
    percent: bool
    money: bool
    plain: bool


def printed_numbers(text: str) -> Iterator[Printed]:
    """Yield every number of `text` in order; digits glued to letters (`5km`, `A320`) count too.

    `1,234` may be 1234 or 1.234, as languages differ; both are readings. Words such as `twelve` are not seen.
    """
    for found in NUMBER.finditer(text):
        after = (found["after"] or "").strip()
        percent = after.startswith(("%", "per"))
        money = bool(found["before"]) or (bool(after) and not percent)
        bare = not (found["scale"] or percent or money)
        yield Printed(
            text=found.group().strip(),
            readings=_scaled(_readings(found["run"]), found["scale"]),
            percent=percent,
            money=money,
            plain=bare and found["run"].isdecimal(),
        )


def _scaled(readings: tuple[Reading, ...], scale: str | None) -> tuple[Reading, ...]:
    """A table of millions says 3.4 where the text says 3.4 million: both readings stand."""
    if scale is None:
        return readings
    times = SCALES[SCALE_MARKS.sub("", scale).lower()]
    return readings + tuple(tuple(Number(n.value * times, n.unit * times) for n in r) for r in readings)


def _readings(run: str) -> tuple[Reading, ...]:
    parts = SPLIT.split(run)
    if len(parts) == 1:
        return ((Number(float(run), 1.0),),)
    marks = [char for char in run if char in SEPARATORS]
    readings = []
    if _grouped(parts, marks):
        readings.append((Number(float("".join(parts)), 1.0),))
    if _decimal(parts, marks):
        decimals = len(parts[-1])
        readings.append((Number(float(f"{''.join(parts[:-1])}.{parts[-1]}"), 10.0**-decimals),))
    return tuple(readings) or (tuple(Number(float(part), 1.0) for part in parts),)


def _grouped(parts: list[str], marks: list[str]) -> bool:
    """Whether the separators group thousands, or lakhs (12,34,567): one mark, three digits last."""
    first_fits = len(parts[0]) <= GROUP_DIGITS and not parts[0].startswith("0")
    middle_fits = all(len(part) in (LAKH_DIGITS, GROUP_DIGITS) for part in parts[1:-1])
    last_fits = len(parts[-1]) == GROUP_DIGITS
    return len(set(marks)) == 1 and first_fits and middle_fits and last_fits


def _decimal(parts: list[str], marks: list[str]) -> bool:
    """Whether the last separator is a decimal mark: the only one, or another than that of groups."""
    if marks[-1] not in ".,":
        return False
    return len(marks) == 1 or (marks[-1] not in marks[:-1] and _grouped(parts[:-1], marks[:-1]))
