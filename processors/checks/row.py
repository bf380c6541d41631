"""The row's values as a check compares with them."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from processors.checks.printed import printed_numbers

Leaf = str | int | float
"""A value that is neither a list, an object, a truth value nor null."""


def leaves(inputs: Mapping[str, JsonValue]) -> Iterator[Leaf]:
    """Yield every text and number of the inputs, at any depth; names of fields are not values."""
    waiting: list[JsonValue] = list(inputs.values())
    while waiting:  # ends: an event is finite, and each turn takes one of its values
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield value


def row_numbers(inputs: Mapping[str, JsonValue]) -> list[float]:
    """Return every number of the inputs, without sign, ascending; numbers in texts in all their readings."""
    numbers: set[float] = set()
    for leaf in leaves(inputs):
        if isinstance(leaf, str):
            numbers.update(n.value for p in printed_numbers(leaf) for reading in p.readings for n in reading)
        else:
            numbers.add(abs(float(str(leaf))))  # by way of its text, a huge integer becomes infinity
    return sorted(numbers)
