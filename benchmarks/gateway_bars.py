"""The bars that the gateway has to meet beside other clients of models, and whether it did."""

from statistics import median

from benchmarks.bar import Bar
from benchmarks.gateway_plan import ALONE, CLIENTS, NO_FLUSH, OURS, PEERS_OF_GATEWAY
from benchmarks.saved import Results

ADDED_P50_MS_MAX = 1.0
CPU_MS_MAX = 0.6
CALLS_PER_CPU_S_MIN = 1_500.0
IMPORT_S_MAX = 0.5


def gateway_bars(results: Results) -> list[Bar]:
    """Return the bars; what a flush of the disk takes is the disk's, and stands in the table."""
    bars = [
        _bar(
            results,
            (NO_FLUSH, ALONE, "added_p50_ms"),
            "a call: p50 above the bare transport, without the disk's flushes",
            most=ADDED_P50_MS_MAX,
        ),
        _bar(results, (OURS, ALONE, "cpu_ms_per_call"), "a call: CPU ms", most=CPU_MS_MAX),
        _bar(
            results,
            (OURS, "512 in flight", "calls_per_cpu_s"),
            "512 in flight: calls a second for each core",
            least=CALLS_PER_CPU_S_MIN,
        ),
        _bar(results, (OURS, ALONE, "import_s"), "import s", most=IMPORT_S_MAX),
        *(_ahead(results, peer) for peer in PEERS_OF_GATEWAY),
    ]
    return [bar for bar in bars if bar is not None]


def _bar(
    results: Results,
    place: tuple[str, str, str],
    name: str,
    *,
    most: float | None = None,
    least: float | None = None,
) -> Bar | None:
    peer, case, figure = place
    seen = results.spread(results.find(peer, case), figure)
    if seen is None:
        return None
    return Bar(
        name=name,
        wanted=f"≤ {most:g}" if least is None else f"≥ {least:g}",
        seen=f"{seen.median:,.4g} ({seen.least:,.4g} to {seen.most:,.4g})",
        met=(least is None or seen.median >= least) and (most is None or seen.median <= most),
    )


def _ahead(results: Results, peer: str) -> Bar | None:
    """Compare round by round: a noisy minute hits both."""
    ours, theirs = (
        results.values(results.find(each, "512 in flight"), "calls_per_cpu_s") for each in (OURS, peer)
    )
    if not ours or not theirs:
        return None
    ratio = median(our / their for our, their in zip(ours, theirs, strict=False))
    return Bar(
        name=f"512 in flight: calls for each core, against {CLIENTS[peer].title}",
        wanted="> 1 x",
        seen=f"{ratio:.2f} x",
        met=ratio > 1,
    )
