"""Break everything under load and check that nothing is lost: `python -m tests.chaos --tasks 5000`."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import orjson

from streams.embedded.errors import EmbeddedError

from .artefacts import Artefacts
from .checker import check
from .cluster import Cluster, ClusterOptions
from .fault_matrix import ALL, choose
from .proxy import swallowed_by_name
from .report import summary
from .run import Run, RunOptions

VIOLATED = 1
NOT_RUN = 3
SHOWN_MAX = 10


def main() -> int:
    """Return 0 when every invariant held, 1 when one was violated, 3 when the run could not be done."""
    parser = _parser()
    arguments = parser.parse_args()
    try:
        choose(arguments.faults, arguments.brokers)
    except ValueError as error:
        parser.error(str(error))
    home = Path(tempfile.mkdtemp(prefix="pressline-chaos-"))
    # What clients of killed services have to say is for whoever looks into a violation.
    (home / "logs").mkdir()
    logging.basicConfig(
        filename=home / "logs" / "chaos.log", level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    kept = True
    try:
        result = asyncio.run(_run(arguments, home))
        kept = not result["ok"]
    except (EmbeddedError, asyncio.CancelledError, KeyboardInterrupt) as error:
        _tell(f"not run to its end: {str(error) or type(error).__name__}")
        return NOT_RUN
    finally:
        if kept:
            _tell(f"data and logs are kept in {home}")
        else:
            shutil.rmtree(home)
    sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
    return 0 if result["ok"] else VIOLATED


async def _run(arguments: argparse.Namespace, home: Path) -> dict[str, object]:
    current = asyncio.current_task()
    if current is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    layout = {name: getattr(arguments, name) for name in ("workers", "partitions", "brokers")}
    faults = choose(arguments.faults, arguments.brokers)
    named = ("tasks", "kills", "broker_kills", "poison", "seed")
    options = RunOptions(faults=faults, **{name: getattr(arguments, name) for name in named})
    cluster = Cluster(ClusterOptions(home=home, seed=options.seed, **layout))
    run = Run(cluster, options, _tell)
    try:
        await cluster.start()
        run.durations.end("start")
        artefacts = await run.run()
        seen = {
            "assignments": cluster.workers.assignments(),
            "answers_swallowed": swallowed_by_name(cluster.services.broker_proxies),
        }
    finally:
        await cluster.stop()
    violations = _checked(artefacts)
    run.durations.end("check")
    return summary(options, layout, artefacts, violations, run.durations.seconds, seen)


def _checked(artefacts: Artefacts) -> dict[str, tuple[str, ...]]:
    violations = check(artefacts)
    for name, found in violations.items():
        _tell(f"{name}: {len(found)}")
        for text in found[:SHOWN_MAX]:
            _tell(f"  {text}")
    return violations


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000, help="good tasks (default 5000)")
    parser.add_argument("--kills", type=int, default=10, help="kill -9 of a worker (default 10)")
    parser.add_argument("--broker-kills", type=int, default=1, help="kill -9 of a leader (default 1)")
    parser.add_argument(
        "--faults",
        default=ALL,
        help="rows of the fault matrix, each once: K1,K6 or all or none (default all)",
    )
    parser.add_argument("--poison", type=int, default=50, help="poison records, ten kinds (default 50)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default 2)")
    parser.add_argument("--partitions", type=int, default=8, help="of each topic (default 8)")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="Kafka brokers (default 1)")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
