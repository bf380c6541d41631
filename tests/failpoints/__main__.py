"""Kill workers at each point of a call: `make failpoints KILLS=200 SEED=1`; prints one JSON object last."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import orjson

from streams.embedded.errors import EmbeddedError
from streams.embedded.postgres import EmbeddedPostgres

from .bench import a_provider, open_bench
from .collect import collect
from .evidence import Evidence
from .invariants import check
from .plan import plan
from .report import summary
from .rounds import play

VIOLATED = 1
NOT_RUN = 3
SHOWN_MAX = 10


def main() -> int:
    """Return 0 when every invariant held, 1 when one was violated, 3 when the run could not be done."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # services are stopped, whoever ends the run
    home = Path(tempfile.mkdtemp(prefix="pressline-failpoints-"))
    # What workers have to say is for whoever looks into a violation.
    logging.basicConfig(filename=home / "workers.log", level=logging.INFO)
    kept = True
    began_s = time.monotonic()
    try:
        run = _run(home, arguments.kills, arguments.seed)
        violations = check(run)
        kept = any(violations.values())
    except (EmbeddedError, TimeoutError, KeyboardInterrupt) as error:
        _tell(f"not run to its end: {str(error) or type(error).__name__}")
        return NOT_RUN
    finally:
        if kept:
            _tell(f"data and logs are kept in {home}")
        else:
            shutil.rmtree(home)
    _tell_violations(violations)
    told = summary(arguments.seed, run, violations, time.monotonic() - began_s)
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    return VIOLATED if kept else 0


def _run(home: Path, kills: int, seed: int) -> Evidence:
    """No event loop and no connection outlives a line here: workers are forks of this process."""
    postgres = EmbeddedPostgres(home)
    try:
        asyncio.run(postgres.start())
        with a_provider(home) as provider:
            bench = asyncio.run(open_bench(postgres.url, provider, home))
            return asyncio.run(collect(bench, play(bench, plan(seed, kills), _tell)))
    finally:
        asyncio.run(postgres.stop())


def _tell_violations(violations: dict[str, tuple[str, ...]]) -> None:
    for name, found in violations.items():
        for text in found[:SHOWN_MAX]:
            _tell(f"{name}: {text}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make failpoints", description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="at each failpoint (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (default 1)")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
