"""Simulate the engine under faults: `make simulate SEEDS=1000 SEED=1`; one seed alone shows its events."""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import orjson

from .invariants import INVARIANTS
from .mutants import MUTANTS
from .plan import plan
from .simulation import SeedResult, simulate

VIOLATED = 1
FAILED_SHOWN_MAX = 20
TEXTS_SHOWN_MAX = 3
TOLD_EVERY = 500


def main() -> int:
    """Return 0 when every invariant held in every seed, else 1."""
    arguments = _parser().parse_args()
    began_s = time.monotonic()
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    summary = _summary(_told(_results(seeds, arguments.mutant), len(seeds)), seeds)
    summary["seconds"] = round(time.monotonic() - began_s, 1)
    sys.stdout.buffer.write(orjson.dumps(summary) + b"\n")
    return 0 if summary["ok"] else VIOLATED


def _results(seeds: range, mutant: str | None) -> Iterator[SeedResult]:
    if len(seeds) == 1:
        yield _simulate(seeds[0], mutant=mutant, keep=True)
        return
    context = multiprocessing.get_context("fork")  # each process begins with everything imported
    with context.Pool(os.cpu_count()) as pool:
        yield from pool.imap(partial(_simulate, mutant=mutant), seeds, chunksize=8)


def _simulate(seed: int, *, mutant: str | None, keep: bool = False) -> SeedResult:
    return simulate(seed, keep=keep, mutant=next((m for m in MUTANTS if m.name == mutant), None))


def _told(results: Iterable[SeedResult], count: int) -> Iterator[SeedResult]:
    for number, result in enumerate(results, start=1):
        for line in result.lines:
            _tell(line)
        if result.violations:
            _tell_violations(result)
        if number % TOLD_EVERY == 0:
            _tell(f"{number} of {count} seeds")
        yield result


def _tell_violations(result: SeedResult) -> None:
    _tell(f"seed {result.seed} violates {', '.join(result.violations)}; {_settings(result.seed)}")
    for name, texts in result.violations.items():
        for text in texts[:TEXTS_SHOWN_MAX]:
            _tell(f"  {name}: {text}")
    _tell(f"  to see its events: make simulate SEEDS=1 SEED={result.seed}")


def _settings(seed: int) -> str:
    scenario = plan(seed)
    return (
        f"{scenario.workers} workers, {scenario.partitions} partitions, {scenario.in_flight_max} in flight, "
        f"window of {scenario.window_max}, order {scenario.ordering}, "
        f"{scenario.requests_per_minute} requests a minute"
    )


def _summary(results: Iterable[SeedResult], seeds: range) -> dict[str, Any]:
    violated: dict[str, list[int]] = {name: [] for name in INVARIANTS}
    faults: Counter[str] = Counter()
    events: Counter[str] = Counter()
    virtual_s, trace = 0.0, 0
    for result in results:
        for name in result.violations:
            violated[name].append(result.seed)
        faults.update(result.faults)
        events.update(result.counts)
        virtual_s += result.virtual_s
        trace ^= int(result.trace, 16) * (2 * result.seed + 1) & 0xFFFFFFFFFFFFFFFF
    return {
        "ok": not any(violated.values()),
        "commit": _commit(),
        "first_seed": seeds.start,
        "seeds": len(seeds),
        "violations": {
            name: {"seeds": len(failed), "first": failed[:FAILED_SHOWN_MAX]}
            for name, failed in violated.items()
        },
        "faults": dict(sorted(faults.items())),
        "events": dict(sorted(events.items())),
        "virtual_s": round(virtual_s),
        "trace": f"{trace:016x}",
    }


def _commit() -> str:
    """The other half of a replay, beside the seed."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    told = subprocess.run(  # noqa: S603 - a fixed command
        [git, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=_positive, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="the first of them (default 1)")
    names = [mutant.name for mutant in MUTANTS]
    parser.add_argument("--mutant", choices=names, help="plant this bug: the seeds are to find it")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} seeds, expected at least one")
    return number


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
