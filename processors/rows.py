"""A row of text cells to a recipe's inputs."""

import math
import re
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from processors.json_schemas import JsonSchema

ARRAY_SEPARATOR = "|"
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
BOOLEANS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def cast_row(schema: JsonSchema, row: Mapping[str, str]) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
    """Return the row's inputs by the types of the schema's properties, and what could not be cast.

    Cells are stripped; an empty one is left out. An integer is at most 18 digits; a boolean is true, yes, 1,
    false, no or 0 in any case; an array is split by ARRAY_SEPARATOR and its items are cast; all else is text.
    A column that the schema does not name is an error.
    """
    inputs: dict[str, JsonValue] = {}
    errors: list[str] = []
    for column, cell in row.items():
        if column not in schema.properties:
            errors.append(f"{column[:100]}: no input of that name; there is {', '.join(schema.properties)}")
        elif cell.strip():
            try:
                inputs[column] = _cast(schema.properties[column], cell.strip())
            except ValueError as error:
                errors.append(f"{column}: {error}")
    return inputs, tuple(errors)


def _cast(schema: JsonValue, text: str) -> JsonValue:
    if _type(schema) != "array":
        return CASTS.get(_type(schema), _string)(text)
    items = schema.get("items") if isinstance(schema, dict) else None
    parts = [part.strip() for part in text.split(ARRAY_SEPARATOR)]
    return [CASTS.get(_type(items), _string)(part) for part in parts if part]


def _type(schema: JsonValue) -> str:
    """The type to cast to: of several, the first that is not null."""
    named = schema.get("type") if isinstance(schema, dict) else None
    names = named if isinstance(named, list) else [named]
    return next((name for name in names if isinstance(name, str) and name != "null"), "string")


def _string(text: str) -> JsonValue:
    return text


def _integer(text: str) -> JsonValue:
    if not INTEGER.fullmatch(text):
        raise ValueError("expected an integer of at most 18 digits")
    return int(text)


def _number(text: str) -> JsonValue:
    if INTEGER.fullmatch(text):
        return int(text)
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("expected a number such as 12.5, without separators or unit")
    return float(text)


def _boolean(text: str) -> JsonValue:
    if text.lower() not in BOOLEANS:
        raise ValueError(f"expected one of {', '.join(BOOLEANS)}")
    return BOOLEANS[text.lower()]


def _object(text: str) -> JsonValue:
    raise ValueError(
        f"an object does not fit a cell of {len(text)} characters; load such tasks from JSON lines"
    )


CASTS: Mapping[str, Callable[[str], JsonValue]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "object": _object,
    "array": _object,
}
