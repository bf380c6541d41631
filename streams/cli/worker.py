"""`pressline worker`: run stages in this process."""

import asyncio

import click

from streams.budgets import configured_budgets
from streams.cli.exits import exit_codes
from streams.lease_tables import require_redis
from streams.models import configured_catalogue, missing_keys
from streams.preparation import prepare
from streams.recipes import RecipeFolder
from streams.settings import RUNNABLE, Settings, SettingsError
from streams.tracing import require_installed

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command("worker")
@click.option("--stages", help=f"What to run, joined by commas: {', '.join(RUNNABLE)}. Default: all.")
@click.option("--in-flight", type=int, help="Most records of a stage in work at once.")
@click.option("--web-port", type=int, help="Port of /health and /metrics.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def command(stages: str | None, in_flight: int | None, web_port: int | None, log_level: str) -> None:
    """Run stages until SIGTERM or Ctrl-C: calls in flight end first; a second signal stops at once.

    The same as `faust -A streams.app worker`, with the settings' stages.
    """
    # Faust takes a fifth of a second to import; no other command needs it.
    from streams.app import create_app  # noqa: PLC0415

    with exit_codes():
        settings = Settings.load(stages=stages, in_flight=in_flight, web_port=web_port)
        # What cannot work is said in one line here, and not in a traceback from inside the shell.
        require_installed()
        require_redis(settings)
        asyncio.run(prepare(settings))
        RecipeFolder(settings.recipes).read()
        configured_budgets(settings)
        catalogue = configured_catalogue(settings)
        if missing := missing_keys(catalogue):
            raise SettingsError(f"{', '.join(missing)} is not set: set it, or PRESSLINE_SIMULATED_URL")
    app = create_app(settings)
    app.Worker(loglevel=log_level, logging_config=_logging(log_level)).execute_from_commandline()


def _logging(level: str) -> dict[str, object]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": LOG_FORMAT}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "loggers": {name: {"level": "WARNING"} for name in ("aiokafka", "faust", "httpx", "mode")},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
    }
