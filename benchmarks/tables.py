"""Results as Markdown: medians, ranges in brackets."""

from collections.abc import Mapping, Sequence

from benchmarks.bars import bars
from benchmarks.gateway_plan import CLIENTS
from benchmarks.plan import PEERS, Case
from benchmarks.saved import Results, Spread

COLUMNS = {
    "records_per_s": ("records/s", 0),
    "calls_per_s": ("calls/s", 0),
    "cpu_us_per_record": ("CPU µs/record", 0),
    "cores_per_process": ("cores", 2),
    "rss_mib_per_process": ("peak MiB", 0),
    "start_s": ("start, join s", 1),
    "import_s": ("import s", 2),
    "load_average": ("machine's load", 0),
    "calls_per_cpu_s": ("calls per s of CPU", 0),
    "cpu_ms_per_call": ("CPU ms/call", 2),
    "postgres_cpu_ms_per_call": ("PostgreSQL's CPU ms/call", 2),
    "p50_ms": ("p50 ms", 1),
    "added_p50_ms": ("p50 above bare ms", 2),
    "p99_ms": ("p99 ms", 1),
    "max_ms": ("longest ms", 0),
}
"""Figures in the order of the columns, each with its title and decimals."""


def report(results: Mapping[str, Results]) -> str:
    """Return every table, and the bars."""
    parts = [_bars(results), *(f"## {group}\n\n{table(found)}" for group, found in results.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(results: Results) -> str:
    """Return one group's table."""
    figures = [name for name in COLUMNS if any(name in run.figures for run in results.runs)]
    if not any(case.call_s or case.peer in CLIENTS for case in results.cases):
        figures = [name for name in figures if name != "calls_per_s"]
    head = ["case", "peer", "runs", *(COLUMNS[name][0] for name in figures), "missing", "repeated"]
    rows = [_row(results, case, figures) for case in results.cases]
    problems = sorted(
        {f"{run.case.name}, {run.case.peer}: {run.problem}" for run in results.runs if run.problem}
    )
    return "\n".join([_markdown(head, rows), *(f"\nNot measured: {problem}" for problem in problems)])


def _row(results: Results, case: Case, figures: Sequence[str]) -> list[str]:
    runs = [run for run in results.of(case) if run.problem is None]
    known = {**PEERS, **CLIENTS}
    peer = known[case.peer].title if case.peer in known else "**Pressline**"
    cells = [_cell(results.spread(case, name), COLUMNS[name][1]) for name in figures]
    counts = [sum(run.missing for run in runs), sum(run.repeated for run in runs)]
    return [case.name, peer, str(len(runs)), *cells, *(f"{count:,}" for count in counts)]


def _cell(spread: Spread | None, decimals: int) -> str:
    if spread is None:
        return ""
    middle, least, most = (f"{n:,.{decimals}f}" for n in (spread.median, spread.least, spread.most))
    return middle if least == most else f"{middle} ({least} to {most})"


def _bars(results: Mapping[str, Results]) -> str:
    rows = [[bar.name, bar.wanted, bar.seen, "met" if bar.met else "**missed**"] for bar in bars(results)]
    return "## Bars\n\n" + _markdown(["bar", "wanted", "seen", ""], rows) if rows else ""


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
