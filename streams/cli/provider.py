"""`pressline provider simulate`: run the simulated model provider."""

from pathlib import Path

import click

from streams.cli.exits import PART_MISSING, WRONG_USE


@click.group("provider")
def command() -> None:
    """Model providers."""


@command.command("simulate")
@click.option("--port", type=int, help="TCP port, 0 for any free one. [default: 8700]")
@click.option("--host", help="Address to bind. [default: 127.0.0.1]")
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("provider.jsonl"),
    show_default=True,
    help="Every request, one JSON object a line, before it is answered.",
)
@click.option("--seed", type=int, help="Of texts, latencies and faults. [default: 0]")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML or JSON: latency, faults, limits."
)
@click.pass_context
def simulate(context: click.Context, /, **options: object) -> None:
    """Serve OpenAI, Anthropic and Gemini formats with simulated answers until SIGTERM or Ctrl-C."""
    # The provider's own imports (aiohttp.web) are of no use to other commands.
    from streams.embedded.provider.config import ConfigError, load_config  # noqa: PLC0415
    from streams.embedded.provider.log import LogFullError  # noqa: PLC0415
    from streams.embedded.provider.server import run_provider  # noqa: PLC0415

    path, log_path = options.pop("config"), options.pop("log")
    try:
        config = load_config(path, log_path=log_path, **options)  # type: ignore[arg-type]
        run_provider(config, lambda url: click.echo(f"simulated provider on {url}/v1, log {config.log_path}"))
    except ConfigError as error:
        click.echo(f"pressline: {error}", err=True)
        context.exit(WRONG_USE)
    except (OSError, LogFullError) as error:
        click.echo(f"pressline: the simulated provider cannot serve: {error}", err=True)
        context.exit(PART_MISSING)
