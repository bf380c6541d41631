"""`pressline completion`: completion for the shell."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script; for bash: `eval "$(pressline completion bash)"`."""
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell!r}")
    root = context.find_root().command
    click.echo(completion(root, {}, "pressline", "_PRESSLINE_COMPLETE").source())
