"""Finding a number for a JSON Schema: the fact's, or else the plainest that the bounds allow."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from streams.embedded.provider.facts import Fact

# A judge that is asked for a score should say "good" unless a fault says otherwise.
SCORE_WORDS = frozenset({"score", "confidence", "quality", "rating", "probability", "grade"})
SCORE_SHARE = 0.9
MULTIPLE_SLACK = 1e-9

Json = dict[str, Any]


def number_for(schema: Json, words: Sequence[str], fact: Fact | None) -> int | float | None:
    """Return a number that a schema allows, or none if none is found.

    Args:
        schema: Of type integer or number; its bounds and `multipleOf` are kept.
        words: The words of the property's name.
        fact: The fact of the same name, if there is one.
    """
    whole = "integer" in (schema.get("type") or "number")
    low, high = _bounds(schema)
    step = schema.get("multipleOf")
    for candidate in _candidates(low, high, SCORE_WORDS.intersection(words), fact):
        number = _stepped(candidate, low, step)
        if whole:
            number = float(math.floor(number) if math.floor(number) >= low else math.ceil(number))
        if _allowed(number, schema):
            return int(number) if number.is_integer() else number
    return None


def _bounds(schema: Json) -> tuple[float, float]:
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    return float(low), float(high)


def _candidates(low: float, high: float, score: frozenset[str], fact: Fact | None) -> Iterator[float]:
    if fact is not None and fact.number is not None:
        yield fact.number
    if score and math.isfinite(high - low):
        yield low + (high - low) * SCORE_SHARE
    yield from (0.0, 1.0)
    if math.isfinite(low):
        yield from (low, low + 1)
    if math.isfinite(high):
        yield from (high, high - 1)
    if math.isfinite(high - low):
        yield from ((low + high) / 2, math.floor((low + high) / 2))


def _stepped(number: float, low: float, step: float | None) -> float:
    if step is None:
        return number
    below = math.floor(number / step + MULTIPLE_SLACK) * step
    return below if below >= low else below + step


def _allowed(number: float, schema: Json) -> bool:
    return (
        schema.get("minimum", number) <= number <= schema.get("maximum", number)
        and schema.get("exclusiveMinimum", -math.inf) < number < schema.get("exclusiveMaximum", math.inf)
        and _is_multiple(number, schema.get("multipleOf"))
    )


def _is_multiple(number: float, step: float | None) -> bool:
    return step is None or abs(number / step - round(number / step)) < MULTIPLE_SLACK
