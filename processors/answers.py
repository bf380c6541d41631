"""A model's text to the object that a step's schema asks for."""

import json_repair
import orjson
from pydantic import JsonValue

from processors.json_schemas import JsonSchema
from schemas.codec import InvalidMessageError, check_json

REPAIRED_CHARS_MAX = 200_000
NOT_JSON = "the answer is not JSON; expected one JSON object and nothing else"

Parsed = tuple[dict[str, JsonValue] | None, tuple[str, ...]]


def parse_answer(text: str, schema: JsonSchema) -> Parsed:
    """Return the object, or None and what is wrong with the text. The errors quote nothing of it.

    What is not strict JSON (fences, prose around it, raw newlines, trailing commas) is mended first, and what
    comes out is held to the same limits and the same schema.
    """
    try:
        value = _strict(text.encode(errors="replace"))
    except InvalidMessageError:
        value = _mended(text)
    if not isinstance(value, dict):
        return None, (NOT_JSON,)
    errors = schema.errors(value)
    return (None, errors) if errors else (value, ())


def _strict(content: bytes) -> object:
    check_json(content)
    return orjson.loads(content)


def _mended(text: str) -> object:
    """Mending takes 1.8 ms per 4 kB, so it comes second and is bounded."""
    if len(text) > REPAIRED_CHARS_MAX:
        return None
    try:
        return _strict(orjson.dumps(json_repair.loads(text)))
    except (InvalidMessageError, RecursionError, TypeError, ValueError):
        return None
