"""The facts block: a task's inputs as data inside a prompt."""

import re
from collections.abc import Mapping

import orjson
from pydantic import JsonValue

FIRST_LINE = "FACTS"
LAST_LINE = "END FACTS"
# All that could start a new line: a value that did could forge the block's end or another fact.
LINE_BREAKERS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def facts_block(inputs: Mapping[str, JsonValue]) -> str:
    """Return one line `- name: value` per input between FIRST_LINE and LAST_LINE.

    A value is data: it stays on its line. Lists are joined by `, `, objects are JSON, null is left out.
    """
    lines = [f"- {name}: {_line(value)}" for name, value in inputs.items() if value is not None]
    return "\n".join([FIRST_LINE, *lines, LAST_LINE])


def _line(value: JsonValue) -> str:
    return LINE_BREAKERS.sub(" ", _text(value)).strip()


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return orjson.dumps(value).decode()
