"""`pressline up`: start everything on this machine."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from streams import run_file
from streams.cli.exits import PART_MISSING, WRONG_USE, exit_codes, run
from streams.embedded.errors import EmbeddedError
from streams.embedded.home_lock import holder_pid
from streams.settings import Settings, child_environment
from streams.stack import PROVIDER_LOG, Stack, StackOptions, started

DETACH_S_MAX = 600.0
"""Bound of a detached start: the first one downloads Kafka's jars."""
DETACH_POLL_S = 0.2


@click.command("up")
@click.option("--detach", is_flag=True, help="Start in the background; `pressline down` stops it.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--brokers", type=click.Choice(["1", "3"]), default="1", show_default=True, help="Kafka brokers."
)
@click.option(
    "--provider-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML or JSON for the simulated provider: latency, faults, limits.",
)
def command(*, detach: bool, workers: int, brokers: str, provider_config: Path | None) -> None:
    """Start Apache Kafka, PostgreSQL, workers and, without an API key, the simulated provider.

    What is set by PRESSLINE_BROKERS, PRESSLINE_DATABASE_URL or a provider's key is used in place of its
    embedded part. Data stays in PRESSLINE_HOME. Ctrl-C stops everything.
    """
    if provider_config is not None:
        _check_provider_config(provider_config)
    options = StackOptions(workers=workers, brokers=int(brokers), provider_config=provider_config)
    if detach:
        _detached(options)
    else:
        run(lambda: _foreground(options))


def _check_provider_config(path: Path) -> None:
    """Refuse a bad file before anything starts: the provider itself reads it behind Kafka and PostgreSQL."""
    # The provider's own imports (aiohttp.web) are of no use without the option.
    from streams.embedded.provider.config import ConfigError, load_config  # noqa: PLC0415

    try:
        load_config(path, log_path=Path(PROVIDER_LOG))
    except ConfigError as error:
        click.echo(f"pressline: {error}", err=True)
        sys.exit(WRONG_USE)


async def _foreground(options: StackOptions) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stack = Stack(Settings.load(), options, lambda text: click.echo(f"  {text}"))
    if not await started(stack, stop):
        click.echo("stopped before everything was up")
        return
    try:
        show(stack.settings, stack.pids)
        await stack.watch(stop)
    finally:
        click.echo("stopping: calls in flight end first")
        await stack.stop()


def _detached(options: StackOptions) -> None:
    with exit_codes():
        settings = Settings.load()
        holder = holder_pid(settings.home)
        if holder is not None:
            raise EmbeddedError(f"{settings.home} is in use by process {holder}: `pressline down` stops it")
        logs = settings.home.resolve() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "streams", "up", "--workers", str(options.workers)]
        command += ["--brokers", str(options.brokers)]
        if options.provider_config is not None:
            command += ["--provider-config", str(options.provider_config)]
        with (logs / "up.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=child_environment(settings),
            )
        _await_ready(process, settings, logs / "up.log")


def _await_ready(process: "subprocess.Popen[bytes]", settings: Settings, log: Path) -> None:
    deadline_s = time.monotonic() + DETACH_S_MAX
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            click.echo(log.read_text().strip(), err=True)
            sys.exit(process.returncode or PART_MISSING)
        if run_file.is_ready(settings.home):
            click.echo(log.read_text(), nl=False)
            return
        time.sleep(DETACH_POLL_S)
    raise EmbeddedError(f"not up within {DETACH_S_MAX:.0f} s; {log} says how far it came")


def show(settings: Settings, pids: dict[str, tuple[int, ...]]) -> None:
    """Print what runs, where, and how to point each part at a real one."""
    table = Table("Part", "Where", "Processes", "Your own instead", title="Pressline is up")
    ports = run_file.read(settings.home)
    health = ", ".join(f"http://{settings.web_host}:{p}/health" for p in (ports.web_ports if ports else ()))
    table.add_row("Apache Kafka", settings.brokers, _ids(pids["kafka"]), "PRESSLINE_BROKERS")
    table.add_row("PostgreSQL", _place(settings), _ids(pids["postgres"][:1]), "PRESSLINE_DATABASE_URL")
    if pids["provider"]:
        where = f"{settings.simulated_url} (simulated answers, nothing is paid)"
        table.add_row("Model provider", where, _ids(pids["provider"]), "OPENAI_API_KEY, PRESSLINE_PROVIDERS")
    table.add_row("Workers", health, _ids(pids["workers"]), "pressline worker --stages …")
    table.add_row("Pages", str(settings.site), "", "PRESSLINE_SITE")
    table.add_row("Data and logs", str(settings.home), "", "PRESSLINE_HOME")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    click.echo("next: pressline load recipes/flight-route/rows.csv --recipe flight-route")


def _place(settings: Settings) -> str:
    """Where the database is, without user and password."""
    return settings.need_database().rpartition("@")[2].removeprefix("postgresql://")


def _ids(pids: tuple[int, ...]) -> str:
    return ", ".join(map(str, pids)) or "not ours"
