"""The bars that engine and gateway have to meet, and whether they did."""

from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.bar import Bar
from benchmarks.gateway_bars import gateway_bars
from benchmarks.plan import CONCURRENT
from benchmarks.saved import Results

CPU_RATIO_MAX = 2.0
RATE_SHARE_MIN = 0.99
CORES_MAX = {256: 0.1, 2000: 0.5}
RSS_MIB_MAX = 400.0
TWO_WORKERS_MIN = 1.9
P50_MS_MAX = 25.0
P99_MS_MAX = 100.0


def bars(results: Mapping[str, Results]) -> list[Bar]:
    """Return the bars of those groups that were measured."""
    judges: dict[str, Callable[[Results], list[Bar]]] = {
        "noop": _noop,
        "calls": _calls,
        "memory": _memory,
        "workers": _workers,
        "latency": _latency,
        "gateway": gateway_bars,
    }
    return [bar for group, judge in judges.items() if group in results for bar in judge(results[group])]


def ratios(results: Results, name: str, figure: str) -> list[float]:
    """Return Pressline's figure for raw aiokafka's, round by round: a noisy minute hits both."""
    ours = results.values(results.find("pressline", name), figure)
    ceiling = results.values(results.find("raw_aiokafka", name), figure)
    return [our / raw for our, raw in zip(ours, ceiling, strict=False)]


def _noop(results: Results) -> list[Bar]:
    ours = results.spread(results.find("pressline", "no call"), "cpu_us_per_record")
    others = {
        peer: found.median
        for peer in CONCURRENT
        if peer not in {"pressline", "raw_aiokafka"}
        and (found := results.spread(results.find(peer, "no call"), "cpu_us_per_record"))
    }
    rounds = ratios(results, "no call", "cpu_us_per_record")
    if ours is None or not rounds or not others:
        return []
    least = min(others, key=others.__getitem__)
    return [
        Bar(
            name="CPU per record without a call, against raw aiokafka",
            wanted=f"≤ {CPU_RATIO_MAX:g} x",
            seen=f"{median(rounds):.2f} x ({min(rounds):.2f} to {max(rounds):.2f})",
            met=median(rounds) <= CPU_RATIO_MAX,
        ),
        Bar(
            name="the same, against peers that run calls side by side in a partition",
            wanted=f"< {others[least]:.0f} µs ({least})",
            seen=f"{ours.median:.0f} µs",
            met=ours.median < others[least],
        ),
    ]


def _calls(results: Results) -> list[Bar]:
    found = []
    for in_flight, cores_max in CORES_MAX.items():
        case = results.find("pressline", f"1 s calls, {in_flight:,} in flight")
        rate, cores = results.spread(case, "calls_per_s"), results.spread(case, "cores_per_process")
        if rate is None or cores is None:
            continue
        share = rate.median / in_flight
        found += [
            Bar(
                name=f"1 s calls, {in_flight:,} in flight: of the ideal rate",
                wanted=f"≥ {RATE_SHARE_MIN:.0%}",
                seen=f"{share:.1%} ({rate.least / in_flight:.1%} to {rate.most / in_flight:.1%})",
                met=share >= RATE_SHARE_MIN,
            ),
            Bar(
                name=f"1 s calls, {in_flight:,} in flight: cores",
                wanted=f"< {cores_max:g}",
                seen=f"{cores.median:.2f} ({cores.least:.2f} to {cores.most:.2f})",
                met=cores.median < cores_max,
            ),
        ]
    return found


def _memory(results: Results) -> list[Bar]:
    case = next((case for case in results.cases if case.peer == "pressline"), None)
    rss = results.spread(case, "rss_mib_per_process")
    if rss is None:
        return []
    return [
        Bar(
            name="10,000 in flight: peak resident memory",
            wanted=f"< {RSS_MIB_MAX:g} MiB",
            seen=f"{rss.most:.0f} MiB",
            met=rss.most < RSS_MIB_MAX,
        )
    ]


def _workers(results: Results) -> list[Bar]:
    rates = {case.workers: results.spread(case, "calls_per_s") for case in results.cases}
    one, two = rates.get(1), rates.get(2)
    if one is None or two is None:
        return []
    gain = two.median / one.median
    return [
        Bar(
            name="1 s calls: two workers for one",
            wanted=f"≥ {TWO_WORKERS_MIN:g} x",
            seen=f"{gain:.2f} x",
            met=gain >= TWO_WORKERS_MIN,
        )
    ]


def _latency(results: Results) -> list[Bar]:
    found = []
    for figure, limit in (("p50_ms", P50_MS_MAX), ("p99_ms", P99_MS_MAX)):
        seen = results.spread(results.cases[0], figure)
        if seen is not None:
            found.append(
                Bar(
                    name=f"four empty stages at 100 tasks a second: {figure.removesuffix('_ms')}",
                    wanted=f"≤ {limit:g} ms",
                    seen=f"{seen.median:.1f} ms ({seen.least:.1f} to {seen.most:.1f})",
                    met=seen.median <= limit,
                )
            )
    return found
