"""One run of one case: fresh topics, the peer's processes, figures, every output counted."""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import orjson

from benchmarks.bench_topics import BenchTopics, Output
from benchmarks.environments import ROOT
from benchmarks.peer_process import PeerProcess, Told
from benchmarks.plan import CALL_S_MAX, Case

POLL_S = 0.05
RUN_S_MAX = 180.0
QUIET_S_MAX = CALL_S_MAX + 15.0
"""Nothing came for so long: it stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run.

    Attributes:
        case: what was measured.
        figures: by name, with the unit last; empty when there is a problem.
        problem: why there are none, or None.
        missing: records without an output.
        repeated: outputs beyond one per record.
    """

    case: Case
    figures: dict[str, float]
    problem: str | None = None
    missing: int = 0
    repeated: int = 0


async def run_case(brokers: str, case: Case, python: Path) -> Run:
    """Fill fresh topics, let the peer forward the records, measure, count what arrived."""
    async with AsyncExitStack() as stack:
        topics = await stack.enter_async_context(BenchTopics(brokers, case))
        command = [str(python), str(ROOT / "benchmarks" / "peers" / f"{case.peer}.py"), _job(brokers, topics)]
        peers = []
        started_s = time.time()
        for _ in range(case.workers):
            # Some leave folders where they are started.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            peers.append(PeerProcess(command, folder))
            await peers[-1].start()
            stack.push_async_callback(peers[-1].end)
        problem = await _watch(topics, case, peers)
        reports = [await peer.report() for peer in peers]
        output = await topics.output()
        if problem is None and output.unique < case.records:
            problem = await _wait_for_the_rest(topics, case, peers)
            output = await topics.output()
        return _run(case, started_s, peers, reports, output, problem)


def _job(brokers: str, topics: BenchTopics) -> str:
    case = topics.case
    job = {
        "brokers": brokers,
        "topic": topics.topic,
        "out": topics.out,
        "group": topics.group,
        "in_flight": case.in_flight,
        "ordering": case.ordering,
        "call_s": case.call_s,
        "call_p99_s": case.call_p99_s,
        "call_s_max": CALL_S_MAX,
    }
    return orjson.dumps(job).decode()


async def _watch(topics: BenchTopics, case: Case, peers: Sequence[PeerProcess]) -> str | None:
    """Wait for all outputs; return why they do not come, or None."""
    started_s = moved_s = time.monotonic()
    before = sent = 0
    while sent < case.records:
        await asyncio.sleep(POLL_S)
        sent, now_s = await topics.sent(), time.monotonic()
        if sent > before:
            before, moved_s = sent, now_s
        elif any(peer.ended for peer in peers):
            return f"ended after {sent} of {case.records}: {next(p for p in peers if p.ended).last_error}"
        if now_s - moved_s > QUIET_S_MAX or now_s - started_s > RUN_S_MAX:
            return f"{sent} of {case.records} after {now_s - started_s:.0f} s"
    return None


async def _wait_for_the_rest(topics: BenchTopics, case: Case, peers: Sequence[PeerProcess]) -> str | None:
    """Some outputs came twice, so that their number said too early that all were there."""
    deadline_s = time.monotonic() + QUIET_S_MAX
    while time.monotonic() < deadline_s and not any(peer.ended for peer in peers):
        await asyncio.sleep(1.0)
        if (await topics.output()).unique >= case.records:
            return None
    return None  # counted as missing


def _run(
    case: Case,
    started_s: float,
    peers: Sequence[PeerProcess],
    reports: Sequence[Told | None],
    output: Output,
    problem: str | None,
) -> Run:
    firsts = [peer.first("taken") for peer in peers]
    pairs = [(a, b) for a, b in zip(firsts, reports, strict=True) if a is not None and b is not None]
    if problem is None and not pairs:
        problem = "it did not report"
    return Run(
        case=case,
        figures={} if problem else _figures(case, started_s, pairs, output),
        problem=problem,
        missing=case.records - output.unique,
        repeated=output.count - output.unique,
    )


def _figures(
    case: Case, started_s: float, pairs: Sequence[tuple[Told, Told]], output: Output
) -> dict[str, float]:
    """Return the figures.

    From the first record taken to the last output appended. The rate of calls leaves out what comes before
    the first answers, and the last wave, in which calls run out.
    """
    times_s, first_s = output.appended_s, min(first.at_s for first, _ in pairs)
    wall_s = max(times_s[-1] - first_s, 0.001)
    cpu_s = sum(report.cpu_s - first.cpu_s for first, report in pairs)
    return {
        "start_s": first_s - started_s,
        "wall_s": wall_s,
        "records_per_s": case.records / wall_s,
        "calls_per_s": _flow(times_s, min(case.in_flight * case.workers, len(times_s) // 3)),
        "cpu_us_per_record": cpu_s / case.records * 1e6,
        "cores_per_process": cpu_s / wall_s / case.workers,
        "rss_mib_per_process": max(report.rss_kib for _, report in pairs) / 1024,
        "load_average": os.getloadavg()[0],
    }


def _flow(times_s: Sequence[float], wave: int) -> float:
    """Return outputs per second from the mean moment of the first wave to that of the last but one."""
    first_s, last_s = mean(times_s[:wave]), mean(times_s[-2 * wave : -wave])
    return (len(times_s) - 2 * wave) / max(last_s - first_s, 0.001)
