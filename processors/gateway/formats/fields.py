"""Reading the fields of a provider's JSON, none of which may be taken on trust."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson

Json = Mapping[str, Any]

NAME_CHARS_MAX = 200
BROKEN = -1
"""A count that is not a whole number: below 0, so that the usage is refused."""


def json_object(body: bytes | str) -> Json | None:
    """Return the JSON object that `body` holds, or None."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def list_in(body: str | None) -> list[Any]:
    """Return the JSON list that `body` holds, an empty one where there is none."""
    if body is None:
        return []
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    return content if isinstance(content, list) else []


def object_at(content: object, *keys: str) -> Json:
    """Return the object at that path, an empty one where there is none."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def objects_at(content: Json, key: str) -> Iterator[Json]:
    """Yield the objects of the list at `key`; anything else in it is passed over."""
    found = content.get(key)
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def signed(items: Iterable[Json], call: str, thoughts: Collection[str]) -> Iterator[tuple[Json, str | None]]:
    """Yield the items of type `call`, each with JSON of the thoughts that stand before it, or None.

    Args:
        items: an answer's, in their order.
        call: type of a tool call.
        thoughts: types of thoughts.
    """
    before: list[Json] = []
    for item in items:
        if item.get("type") in thoughts:
            before.append(item)
        elif item.get("type") == call:
            yield item, orjson.dumps(before).decode() if before else None
            before = []


def text_at(content: Json, key: str) -> str:
    """Return the text at `key`, an empty one where there is none."""
    found = content.get(key)
    return found if isinstance(found, str) else ""


def name_at(content: Json, key: str) -> str | None:
    """Return the name at `key`, bounded, or None."""
    found = content.get(key)
    return found[:NAME_CHARS_MAX] if isinstance(found, str) else None


def count_at(content: Json, key: str) -> int:
    """Return the count at `key`: 0 when absent, BROKEN when it is not a whole number from 0."""
    found = content.get(key)
    if found is None:
        return 0
    whole = isinstance(found, int) and not isinstance(found, bool)
    return found if whole and found >= 0 else BROKEN


def shown(value: object) -> str:
    """Return a provider's own word as an error text may show it."""
    return repr(value[:50]) if isinstance(value, str) else f"of type {type(value).__name__}"
