"""Pressline's engine beside its peers: one broker, the same records, one command. `python -m benchmarks`."""

import argparse
import asyncio
import logging
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from benchmarks import four_stages, gateway_plan, saved
from benchmarks.environments import ROOT, InstallError, install, python_of
from benchmarks.gateway_run import GatewayBench
from benchmarks.plan import CORE, GATEWAY, GROUPS, LATENCY, PEERS, SWEEPS, Case
from benchmarks.run_case import Run, run_case
from benchmarks.tables import report
from streams.embedded.kafka import EmbeddedKafka

SHORTHANDS = {"core": CORE, "sweeps": SWEEPS, "all": (*CORE, GATEWAY, *SWEEPS)}
ALL_PEERS = {**PEERS, **gateway_plan.CLIENTS}
PLOTS_S_MAX = 120.0


def main() -> None:
    """Measure, save, show, plot."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # broker and peers end with it
    options = _options()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader for a moment
    folder = options.results
    if not options.show:
        used = {case.peer for group in options.cases for case in _cases(group)}
        interpreters = _interpreters([peer for peer in options.peers if peer in used])
        for group in options.cases:
            asyncio.run(_measure(group, options.rounds, interpreters, folder))
    found = saved.load(folder)
    text = (
        "# Results\n\nMade by `make bench`; how, and what it means: [benchmarks](../README.md).\n\n"
        + report(found)
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    print(text)
    _plot(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    groups = [*GROUPS, LATENCY, GATEWAY]
    parser.add_argument(
        "--cases", type=_groups, default=CORE, help=f"core, sweeps, all, or of: {', '.join(groups)}"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each case, interleaved")
    parser.add_argument(
        "--peers", type=lambda text: text.split(","), default=list(ALL_PEERS), help="names, by comma"
    )
    parser.add_argument("--results", type=Path, default=saved.FOLDER, help="folder of the results")
    parser.add_argument("--show", action="store_true", help="measure nothing; show and plot what is saved")
    return parser.parse_args()


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(name for part in text.split(",") for name in SHORTHANDS.get(part, (part,)))
    unknown = [name for name in names if name not in (*GROUPS, LATENCY, GATEWAY)]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such cases: {', '.join(unknown)}")
    return names


def _interpreters(peers: Sequence[str]) -> Mapping[str, Path | str]:
    """Return each peer's interpreter, or the reason why it has none."""
    found: dict[str, Path | str] = {}
    for name in peers:
        try:
            found[name] = python_of(ALL_PEERS[name])
        except (InstallError, OSError, subprocess.SubprocessError) as error:
            found[name] = f"cannot be installed: {error}"
    return found


async def _measure(group: str, rounds: int, interpreters: Mapping[str, Path | str], folder: Path) -> None:
    """Run every case of the group `rounds` times, interleaved, so that a noisy minute hits all alike."""
    runs: list[Run] = []
    async with AsyncExitStack() as stack:
        run = await _runner(group, stack)
        for number, case in _schedule(group, rounds, interpreters):
            python = interpreters.get(case.peer, Path(sys.executable))
            runs.append(await run(case, python) if isinstance(python, Path) else _problem(case, python))
            _say(number, runs[-1])
            saved.save(group, runs, folder)  # each time: what was measured outlives an interruption


async def _runner(group: str, stack: AsyncExitStack) -> Callable[[Case, Path], Awaitable[Run]]:
    """Start what the group's runs share; return what runs one of its cases."""
    if group == GATEWAY:
        return (await stack.enter_async_context(GatewayBench())).run
    if group == LATENCY:
        return four_stages.run_four_stages
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    kafka = await stack.enter_async_context(EmbeddedKafka(home))
    return partial(run_case, kafka.bootstrap_servers)


def _cases(group: str) -> Sequence[Case]:
    return {LATENCY: (four_stages.CASE,), GATEWAY: gateway_plan.CASES, **GROUPS}[group]


def _schedule(group: str, rounds: int, peers: Iterable[str]) -> Iterable[tuple[int, Case]]:
    chosen = {*peers, four_stages.CASE.peer}
    cases = [case for case in _cases(group) if case.peer in chosen]
    return ((n, case) for n in range(rounds) for case in cases if n < case.rounds_max)


def _problem(case: Case, problem: str) -> Run:
    return Run(case=case, figures={}, problem=problem)


def _say(number: int, run: Run) -> None:
    figures = ", ".join(f"{name} {value:.4g}" for name, value in run.figures.items())
    print(f"{number + 1}: {run.case.name}, {run.case.peer}: {run.problem or figures}", flush=True)


def _plot(folder: Path) -> None:
    try:
        python = install("plots", ROOT / "benchmarks" / "plots.txt")
    except InstallError as error:
        print(f"no plots: {error}", file=sys.stderr)
        return
    command = [str(python), "-m", "benchmarks.plots", str(folder), str(ROOT / "benchmarks" / "plots")]
    subprocess.run(command, cwd=ROOT, timeout=PLOTS_S_MAX, check=True)  # noqa: S603 - our own command


if __name__ == "__main__":
    main()
