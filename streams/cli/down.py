"""`pressline down`: stop what `pressline up` started."""

import os
import signal
import time

import click

from streams.cli.exits import WorkFailedError, exit_codes
from streams.embedded.home_lock import holder_pid
from streams.settings import Settings

STOP_S_MAX = 120.0
POLL_S = 0.1


@click.command("down")
def command() -> None:
    """Stop Kafka, PostgreSQL, provider and workers; calls in flight end first. Data stays."""
    with exit_codes():
        settings = Settings.load()
        pid = holder_pid(settings.home)
        if pid is None:
            click.echo(f"nothing runs in {settings.home}")
            return
        os.kill(pid, signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_S_MAX
        while holder_pid(settings.home) is not None:
            if time.monotonic() > deadline_s:
                raise WorkFailedError(
                    f"process {pid} still runs {STOP_S_MAX:.0f} s after SIGTERM: kill it by hand"
                )
            time.sleep(POLL_S)
        click.echo(f"stopped; data stays in {settings.home}")
