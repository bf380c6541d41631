"""`make demo`: everything up, 500 real rows loaded and watched, everything down."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from streams.cli.exits import FAILED, run
from streams.cli.up import show
from streams.settings import Settings, child_environment
from streams.stack import Stack, StackOptions, started

ROWS = Path("recipes/flight-route/rows.csv")
RECIPE = "flight-route"
LOAD_S_MAX = 900.0


def main() -> None:
    """Run the demo; exits 0 only if every row is accounted for and published."""
    sys.exit(run(_demo))


async def _demo() -> int:
    click.echo("starting Apache Kafka, PostgreSQL, a simulated model provider and a worker on this machine")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stack = Stack(Settings.load(), StackOptions(), lambda text: click.echo(f"  {text}"))
    if not await started(stack, stop):
        click.echo("stopped before everything was up")
        return FAILED
    try:
        show(stack.settings, stack.pids)
        return await _load(stack, stop)
    finally:
        click.echo("stopping everything; data and pages stay")
        await stack.stop()


async def _load(stack: Stack, stop: asyncio.Event) -> int:
    """Load the sample while the stack is watched; the load's exit code is the demo's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", "load", str(ROWS), "--recipe", RECIPE),
        env=child_environment(stack.settings),
    )
    watching = asyncio.ensure_future(stack.watch(stop))
    loading = asyncio.ensure_future(process.wait())
    await asyncio.wait((watching, loading), timeout=LOAD_S_MAX, return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        process.terminate()
    stop.set()
    await watching  # raises what went wrong with a service
    return await loading


if __name__ == "__main__":
    main()
