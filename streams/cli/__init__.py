"""The command `pressline`: one command per file, each with `command` as its click command."""

from importlib import import_module

import click

COMMANDS = {
    "up": "streams.cli.up",
    "down": "streams.cli.down",
    "doctor": "streams.cli.doctor",
    "worker": "streams.cli.worker",
    "topics": "streams.cli.topics",
    "load": "streams.cli.load",
    "status": "streams.cli.status",
    "watch": "streams.cli.watch",
    "results": "streams.cli.results",
    "task": "streams.cli.task",
    "dead-letters": "streams.cli.dead_letters",
    "review": "streams.cli.review",
    "why-stuck": "streams.cli.why_stuck",
    "scaling": "streams.cli.scaling",
    "pause": "streams.cli.pause",
    "resume": "streams.cli.resume",
    "drain": "streams.cli.drain",
    "recipe": "streams.cli.recipe",
    "budgets": "streams.cli.budgets",
    "price": "streams.cli.price",
    "provider": "streams.cli.provider",
    "completion": "streams.cli.completion",
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
        module = COMMANDS.get(cmd_name)
        command: click.Command | None = import_module(module).command if module else None
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="pressline", prog_name="pressline")
def main() -> None:
    """Event-driven stream processor and AI orchestrator for content operations.

    Start with `pressline doctor`, then `pressline up`, then `pressline load`.
    """
