"""The command `pressline`: one command per file, each with `command` as its click command."""

from importlib import import_module
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem


class Listed(NamedTuple):
    """A command as the list of all shows it.

    Attributes:
        module: where it is.
        help: the first sentence of its own help, which a test compares.
    """

    module: str
    help: str


COMMANDS = {
    "up": Listed(
        "streams.cli.up",
        "Start Apache Kafka, PostgreSQL, workers and, without an API key, the simulated provider.",
    ),
    "down": Listed(
        "streams.cli.down", "Stop Kafka, PostgreSQL, provider and workers; calls in flight end first."
    ),
    "doctor": Listed("streams.cli.doctor", "Check everything that Pressline needs, and say what to do."),
    "worker": Listed(
        "streams.cli.worker",
        "Run stages until SIGTERM or Ctrl-C: calls in flight end first; a second signal stops at once.",
    ),
    "topics": Listed("streams.cli.topics", "Show every topic, what it carries and whether it exists."),
    "load": Listed("streams.cli.load", "Load ROWS: CSV with a header, or JSON lines (*.jsonl), in UTF-8."),
    "status": Listed("streams.cli.status", "Show the load BATCH, or the newest loads."),
    "watch": Listed(
        "streams.cli.watch", "Show the load BATCH until each row has an outcome or waits for a person."
    ),
    "results": Listed(
        "streams.cli.results",
        "Write the rows of the load BATCH: number, task, inputs, outcome, address, cost.",
    ),
    "task": Listed("streams.cli.task", "One task: its path step by step."),
    "dead-letters": Listed(
        "streams.cli.dead_letters", "What the stages gave up on: list it, show it, export it, send it back."
    ),
    "review": Listed(
        "streams.cli.review", "Pages that wait for a person: list them, read them, approve or reject them."
    ),
    "why-stuck": Listed(
        "streams.cli.why_stuck",
        "Show for each partition its backlog, its oldest unfinished record and what that waits for.",
    ),
    "scaling": Listed(
        "streams.cli.scaling",
        "Show each stage's true backlog, the age of its head, and how many workers it wants, bound by what.",
    ),
    "pause": Listed(
        "streams.cli.pause",
        "Hold work back: records wait where they are, calls in flight end, nothing is lost.",
    ),
    "resume": Listed(
        "streams.cli.resume",
        "Let work go on that was paused or drained; `pressline pause --list` shows what there is.",
    ),
    "drain": Listed(
        "streams.cli.drain",
        "Take nothing more of a scope and wait until what is at work has ended; it stays held back.",
    ),
    "recipe": Listed("streams.cli.recipe", "Recipes: list, check, show, and begin a new one from a table."),
    "budgets": Listed(
        "streams.cli.budgets", "Budgets of PRESSLINE_BUDGETS: what is spent, reserved and left."
    ),
    "price": Listed(
        "streams.cli.price",
        "Price the raw usage objects of FILE: JSON lines with provider, model, usage, maybe api and date.",
    ),
    "provider": Listed("streams.cli.provider", "Model providers."),
    "completion": Listed(
        "streams.cli.completion",
        'Print the completion script; for bash: `eval "$(pressline completion bash)"`.',
    ),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for: `--help` and completion stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which a newcomer meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        del ctx
        listed = COMMANDS.get(cmd_name)
        command: click.Command | None = import_module(listed.module).command if listed else None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List all commands without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.help) for name, listed in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, likewise."""
        names = [
            CompletionItem(name, help=listed.help)
            for name, listed in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="pressline", prog_name="pressline")
def main() -> None:
    """Event-driven stream processor and AI orchestrator for content operations.

    Start with `pressline doctor`, then `pressline up`, then `pressline load`.
    """
