"""What a running `pressline up` leaves in PRESSLINE_HOME, so that other commands find it without settings."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

RUN_FILE = "run.json"


class RunFile(BaseModel):
    """Where the embedded services are.

    Attributes:
        pid: process of the supervisor.
        brokers: bootstrap servers.
        database_url: PostgreSQL URL, on loopback.
        simulated_url: base URL of the simulated provider, or None when a real one is configured.
        web_ports: ports of the workers' health pages.
        ready: whether every worker has answered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    brokers: str
    database_url: str
    simulated_url: str | None
    web_ports: tuple[int, ...] = ()
    ready: bool = False


def read(home: Path) -> RunFile | None:
    """Return what is running in `home`, or None: nothing is, or it did not end by itself."""
    try:
        run = RunFile.model_validate_json((home / RUN_FILE).read_bytes())
        os.kill(run.pid, 0)
    except (OSError, ValidationError):
        return None
    return run


def is_ready(home: Path) -> bool:
    """Return whether everything in `home` is up."""
    run = read(home)
    return run is not None and run.ready


def write(home: Path, run: RunFile) -> None:
    """Leave `run` in `home`, readable by this user only: the database's URL lets in."""
    partial = home / f"{RUN_FILE}.partial"
    partial.touch(mode=0o600)
    partial.write_text(run.model_dump_json(indent=2))
    partial.replace(home / RUN_FILE)


def remove(home: Path) -> None:
    """Nothing is running any more."""
    (home / RUN_FILE).unlink(missing_ok=True)
