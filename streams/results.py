"""Results of a load as a file: one row for each task, written as they are read."""

import csv
from typing import Protocol, TextIO

import orjson
from pydantic import JsonValue

from processors.rows import ARRAY_SEPARATOR
from streams.store.tasks import IndexedTask

BEFORE = ("row", "task_id")
AFTER = (
    *("outcome", "reason", "url", "title", "score"),
    *("calls", "input_tokens", "output_tokens", "cost_usd"),
)
PREFIX = "result_"


class ResultsWriter(Protocol):
    """Takes the tasks in order."""

    def write(self, task: IndexedTask) -> None:
        """Write the task's row."""


class JsonResults:
    """JSON lines, the inputs under their own name.

    Args:
        file: text, in UTF-8.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, task: IndexedTask) -> None:
        """Write the task's line."""
        values = _values(task)
        line = {name: values[name] for name in BEFORE} | {"inputs": task.inputs}
        line |= {name: values[name] for name in AFTER}
        self._file.write(orjson.dumps(line, default=str).decode() + "\n")


class CsvResults:
    """CSV with a header; inputs keep their names, a result of the same name gets PREFIX before its own.

    Lists are joined as `load` splits them, objects are JSON: the inputs can be loaded again.

    Args:
        file: text, in UTF-8, without translation of line ends.
        inputs: names of the recipe's inputs, in order.
    """

    def __init__(self, file: TextIO, inputs: tuple[str, ...]) -> None:
        self._inputs = inputs
        # Its line ends are CR LF, as RFC 4180 has them; with others it would not quote a CR in a cell.
        self._writer = csv.writer(file)
        self._writer.writerow((*map(self._name, BEFORE), *inputs, *map(self._name, AFTER)))

    def write(self, task: IndexedTask) -> None:
        """Write the task's row."""
        values = _values(task)
        inputs = [_cell(task.inputs.get(name)) for name in self._inputs]
        before, after = ([_cell(values[name]) for name in names] for names in (BEFORE, AFTER))
        self._writer.writerow((*before, *inputs, *after))

    def _name(self, name: str) -> str:
        return f"{PREFIX}{name}" if name in self._inputs else name


def _values(task: IndexedTask) -> dict[str, JsonValue]:
    """The task's columns; `outcome` is the state while there is none yet."""
    return {
        "row": task.row_number,
        "task_id": task.task_id,
        "outcome": task.state,
        "reason": task.reason,
        "url": task.url,
        "title": task.title,
        "score": task.score,
        "calls": task.calls,
        "input_tokens": task.input_tokens,
        "output_tokens": task.output_tokens,
        "cost_usd": str(task.cost_usd),
    }


def _cell(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ARRAY_SEPARATOR.join(map(_cell, value))
    if isinstance(value, dict | bool):
        return orjson.dumps(value).decode()
    return str(value)
