"""Play scenarios on real Kafka, PostgreSQL and worker processes: `python -m benchmarks.scenarios all`."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import orjson

from streams.embedded.errors import EmbeddedError

from . import broker_kill, failing_model, full_stack_flight, rebalance_storm, scaling, soak, term_in_rebalance
from .findings import Findings
from .scene import Scene

HELD = 0
MISSED = 1
NOT_RUN = 3
Play = Callable[..., Awaitable[Findings]]
SCENARIOS: Mapping[str, Play] = {
    "term-in-rebalance": term_in_rebalance.run,
    "scaling": scaling.run,
    "rebalance-storm": rebalance_storm.run,
    "broker-kill": broker_kill.run,
    "failing-model": failing_model.run,
    "full-stack-flight": full_stack_flight.run,
}


def main() -> int:
    """Return 0 when every bar was held, 1 when one was missed, 3 when a scenario could not be played."""
    arguments = _parser().parse_args()
    plays: dict[str, Play] = {**SCENARIOS, "soak": partial(soak.run, soak_s=arguments.soak_s)}
    names = list(SCENARIOS) if arguments.scenario == "all" else [arguments.scenario]
    found: dict[str, object] = {}
    held = True
    for name in names:
        try:
            findings = asyncio.run(_played(name, plays[name], short=arguments.short))
        except (EmbeddedError, AssertionError, asyncio.CancelledError, KeyboardInterrupt) as error:
            _tell(f"{name} was not played to its end: {str(error) or type(error).__name__}")
            return NOT_RUN
        found[name] = findings.as_json()
        held = held and findings.held
    sys.stdout.buffer.write(orjson.dumps({"held": held, "scenarios": found}) + b"\n")
    return HELD if held else MISSED


async def _played(name: str, play: Play, *, short: bool) -> Findings:
    current = asyncio.current_task()
    if current is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    folder = Path(tempfile.mkdtemp(prefix=f"pressline-{name}-"))
    # What clients of killed brokers have to say is for whoever looks into a bar that was missed.
    logging.basicConfig(filename=folder / "scenario.log", level=logging.INFO, force=True)
    kept = True
    try:
        async with Scene(folder, _tell) as scene:
            findings = await play(scene, short=short)
        kept = not findings.held
    finally:
        if kept:
            _tell(f"data and logs are kept in {folder}")
        else:
            shutil.rmtree(folder)
    for bar in findings.bars:
        _tell(f"{name}: {bar}")
    return findings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios", description=__doc__)
    parser.add_argument("scenario", choices=("all", *SCENARIOS, "soak"), help="which; all but the soak")
    parser.add_argument("--short", action="store_true", help="some seconds only")
    parser.add_argument("--soak-s", type=float, default=soak.SOAK_S, help="length of the soak, in seconds")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
