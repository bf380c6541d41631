"""The tables in the documents, made from the code: `python -m streams.docs` renews them.

A table stands between `<!-- table NAME -->` and `<!-- end -->`.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from pydantic_core import PydanticUndefined

from streams import telemetry
from streams.cli import COMMANDS, main
from streams.settings import Settings
from streams.topics import DAY_MS, Topic, all_topics

DOCUMENTS = (
    Path("README.md"),
    Path("deploy/README.md"),
    Path("deploy/budgets.md"),
    Path("deploy/gateway.md"),
    Path("deploy/models.md"),
    Path("tests/README.md"),
)
BLOCK = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
METRIC = re.compile(r'"(pressline_\w+)",  # (\w+): (.+)')


def topics_table() -> str:
    """Return every topic: what it carries, how long, who for."""
    rows = [
        (f"`{t.name}`", t.carries.__name__ if t.carries else "", _kept(t), t.purpose) for t in all_topics()
    ]
    return _table(("Topic", "Carries", "Kept", "What for"), rows)


def settings_table() -> str:
    """Return every setting with its default."""
    rows = [
        (f"`PRESSLINE_{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _table(("Setting", "Default", "Meaning"), rows)


def commands_table() -> str:
    """Return every command, those below a group included."""
    context = click.Context(main)
    rows: list[tuple[str, str]] = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        if command is not None:
            rows += _commands(name, command)
    return _table(("Command", "What it does"), rows)


def metrics_table() -> str:
    """Return every metric with its kind and meaning, as the comments beside their names say."""
    found = METRIC.findall(inspect.getsource(telemetry))
    return _table(("Metric", "Kind", "Meaning"), [(f"`{name}`", kind, text) for name, kind, text in found])


TABLES: dict[str, Callable[[], str]] = {
    "topics": topics_table,
    "settings": settings_table,
    "commands": commands_table,
    "metrics": metrics_table,
}


def renewed(text: str) -> str:
    """Return a document's text with every table as the code has it now."""
    return BLOCK.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[3]}", text)


def _kept(topic: Topic) -> str:
    days = f"{topic.retention_ms // DAY_MS} d"
    return f"{days}, the newest of each key for good" if topic.compacted else days


def _commands(name: str, command: click.Command) -> list[tuple[str, str]]:
    if isinstance(command, click.Group):
        return [row for sub, inner in command.commands.items() for row in _commands(f"{name} {sub}", inner)]
    return [(f"`pressline {name}`", command.get_short_help_str(limit=200))]


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    separator = ":" if isinstance(value, tuple) and isinstance(value[0], Path) else ","
    return f"`{separator.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(renewed(document.read_text("utf-8")), "utf-8")
