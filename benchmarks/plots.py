"""Plots of saved results, each as PNG and SVG. `make bench` runs it in an environment of its own."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot as plt

from benchmarks.gateway_plan import CASES, CLIENTS
from benchmarks.plan import GROUPS, PEERS, Case

SIZE_INCHES = (8.0, 4.5)
DOTS_PER_INCH = 110
COLOURS = {
    **dict(zip(PEERS, plt.get_cmap("tab10").colors, strict=False)),
    **dict(zip(CLIENTS, plt.get_cmap("tab10").colors, strict=False)),
}

Figures = Mapping[tuple[str, str], Sequence[Mapping[str, float]]]
"""The figures of each run, by the case's name and peer."""


def main(results: Path, folder: Path) -> None:
    """Draw each group that was measured."""
    folder.mkdir(exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "pressline"  # the same results make the same file
    for group, draw in PLOTS.items():
        path = results / f"{group}.json"
        if not path.exists():
            continue
        figure, axes = plt.subplots(figsize=SIZE_INCHES, layout="constrained")
        draw(axes, _figures(path))
        figure.savefig(folder / f"{group}.png", dpi=DOTS_PER_INCH)
        figure.savefig(folder / f"{group}.svg", metadata={"Date": None})
        plt.close(figure)


def _figures(path: Path) -> Figures:
    found: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
        if run["figures"]:
            found.setdefault((run["case"]["name"], run["case"]["peer"]), []).append(run["figures"])
    return found


def _draw_noop(axes: Any, figures: Figures) -> None:
    """Bars of processor time for each record."""
    peers = [peer for peer in PEERS if ("no call", peer) in figures]
    spreads = [_spread(figures["no call", peer], "cpu_us_per_record") for peer in peers]
    middles = [middle for middle, _, _ in spreads]
    errors = [[m - least for m, least, _ in spreads], [most - m for m, _, most in spreads]]
    bars = axes.barh(
        [_title(peer) for peer in peers], middles, xerr=errors, color=[COLOURS[peer] for peer in peers]
    )
    axes.bar_label(bars, [f" {middle:.0f}" for middle in middles], padding=12)
    axes.set(xscale="log", xlabel="CPU µs per record", title="One hop without a call: CPU per record")
    axes.margins(x=0.1)
    axes.invert_yaxis()


def _draw_calls(axes: Any, figures: Figures) -> None:
    """Processor cores that waiting calls take."""
    _draw_groups(axes, "calls", figures, "cores_per_process", 1.0)
    axes.set(yscale="log", ylabel="cores", title="Calls of 1 s: cores in use")


def _draw_memory(axes: Any, figures: Figures) -> None:
    """Peak memory with 10,000 calls in flight."""
    _draw_groups(axes, "memory", figures, "rss_mib_per_process", 1.0)
    axes.set(ylabel="peak resident MiB", title="10,000 calls in flight: memory")


def _draw_workers(axes: Any, figures: Figures) -> None:
    """Rate of one, two and four workers, beside the ideal."""
    cases = [case for case in GROUPS["workers"] if (case.name, case.peer) in figures]
    counts = [case.workers for case in cases]
    rates = [_middle(figures, case, "calls_per_s") for case in cases]
    axes.plot(counts, [case.in_flight * case.workers for case in cases], "--", color="grey", label="ideal")
    axes.plot(counts, rates, "o-", color=COLOURS["pressline"], label=_title("pressline"))
    axes.set(xlabel="workers", ylabel="calls per second", title="Calls of 1 s, 256 in flight in each worker")
    axes.set_xticks(counts)
    axes.legend()


def _draw_latency(axes: Any, figures: Figures) -> None:
    """Percentiles of each run."""
    [runs] = figures.values()
    for name, title in (("p50_ms", "p50"), ("p99_ms", "p99"), ("max_ms", "longest")):
        axes.plot(range(1, len(runs) + 1), [run[name] for run in runs], "o-", label=title)
    axes.set(yscale="log", xlabel="run", ylabel="ms", title="Four empty stages, 100 tasks a second")
    axes.legend()


def _draw_gateway(axes: Any, figures: Figures) -> None:
    """Processor time of the client for each call, one at a time and many."""
    _draw_groups(axes, "gateway", figures, "cpu_ms_per_call", 1.0)
    axes.set(yscale="log", ylabel="CPU ms per call", title="A call of a local server: CPU of the client")
    axes.legend(fontsize="x-small", ncols=3)


def _draw_work(axes: Any, figures: Figures) -> None:
    """Rate over the length of a call."""
    _draw_lines(axes, "sweep-work", figures, "records_per_s")
    axes.set(
        yscale="log", xlabel="call", ylabel="records per second", title="Length of a call, 256 in flight"
    )
    axes.tick_params(axis="x", rotation=15)


def _draw_keys(axes: Any, figures: Figures) -> None:
    """Rate over the number of keys, in key order."""
    _draw_lines(axes, "sweep-keys", figures, "records_per_s")
    axes.set(yscale="log", ylabel="records per second", title="Calls of 10 ms in the order of each key")


def _draw_in_flight(axes: Any, figures: Figures) -> None:
    """Share of the ideal rate over the calls in flight."""
    _draw_groups(axes, "sweep-in-flight", figures, "calls_per_s", 0.0)
    axes.axhline(1.0, linestyle="--", color="grey")
    axes.set(ylabel="share of in flight ÷ 1 s", title="Calls of 1 s: share of the ideal rate")


def _draw_partitions(axes: Any, figures: Figures) -> None:
    """Processor time over the number of partitions."""
    _draw_groups(axes, "sweep-partitions", figures, "cpu_us_per_record", 1.0)
    axes.set(ylabel="CPU µs per record", title="Partitions")
    axes.tick_params(axis="x", rotation=15)


def _draw_lines(axes: Any, group: str, figures: Figures, figure: str) -> None:
    for peer in PEERS:
        cases = [case for case in GROUPS[group] if case.peer == peer and (case.name, peer) in figures]
        if cases:
            rates = [_middle(figures, case, figure) for case in cases]
            axes.plot([case.name for case in cases], rates, "o-", color=COLOURS[peer], label=_title(peer))
    axes.legend()


def _draw_groups(axes: Any, group: str, figures: Figures, figure: str, scale: float) -> None:
    """Draw bars for each case; `scale` 0 divides by the calls in flight."""
    planned = CASES if group == "gateway" else GROUPS[group]
    cases = [case for case in planned if (case.name, case.peer) in figures]
    names = list(dict.fromkeys(case.name for case in cases))
    peers = [peer for peer in COLOURS if any(case.peer == peer for case in cases)]
    width = 0.8 / max(1, len(peers))
    for case in cases:
        number = peers.index(case.peer)
        label = _title(case.peer) if case == next(c for c in cases if c.peer == case.peer) else None
        height = _middle(figures, case, figure) * (scale or 1 / case.in_flight)
        place = names.index(case.name) + number * width
        axes.bar(place, height, width, color=COLOURS[case.peer], label=label)
    axes.set_xticks([n + width * (len(peers) - 1) / 2 for n in range(len(names))], names)
    axes.legend()


def _middle(figures: Figures, case: Case, figure: str) -> float:
    return _spread(figures[case.name, case.peer], figure)[0]


def _spread(runs: Sequence[Mapping[str, float]], figure: str) -> tuple[float, float, float]:
    values = [run[figure] for run in runs]
    return median(values), min(values), max(values)


def _title(peer: str) -> str:
    return {**PEERS, **CLIENTS}[peer].title.replace("*", "").replace("`", "")


PLOTS: dict[str, Callable[[Any, Figures], None]] = {
    "noop": _draw_noop,
    "calls": _draw_calls,
    "memory": _draw_memory,
    "workers": _draw_workers,
    "latency": _draw_latency,
    "gateway": _draw_gateway,
    "sweep-work": _draw_work,
    "sweep-keys": _draw_keys,
    "sweep-in-flight": _draw_in_flight,
    "sweep-partitions": _draw_partitions,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
