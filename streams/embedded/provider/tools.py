"""Tools: which ones a request offers, and whether the results in it belong to calls in it."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.wire import Json, OfferedTool

TOOLS_MAX = 128
NO_ARGUMENTS: Json = {"type": "object"}


def offered(found: Iterable[Json], schema_key: str) -> tuple[OfferedTool, ...]:
    """Return the tools that a request offers.

    Args:
        found: their descriptions, each with a `name`.
        schema_key: where a description has the JSON Schema of the arguments.

    Raises:
        RequestRejectedError: One has no name, or there are more than TOOLS_MAX.
    """
    tools = [(tool.get("name"), tool.get(schema_key) or NO_ARGUMENTS) for tool in found]
    if len(tools) > TOOLS_MAX or not all(isinstance(name, str) and name for name, _ in tools):
        raise invalid_request(f"tools must be at most {TOOLS_MAX}, each with a name.", param="tools")
    return tuple(OfferedTool(name=str(name), parameters=orjson.dumps(schema)) for name, schema in tools)


def require_called(results: Iterable[Any], calls: Iterable[Any]) -> None:
    """Check that each result names a call of the same conversation, as real providers do.

    Raises:
        RequestRejectedError: One names another.
    """
    known = list(calls)
    for named in results:
        if named not in known:
            raise invalid_request(f"A tool result names the call {named!r}, expected one of {known!r}.")


def objects(found: Any) -> Iterator[Json]:
    """Yield the objects of a list; anything else in it, or in place of it, is passed over."""
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()
