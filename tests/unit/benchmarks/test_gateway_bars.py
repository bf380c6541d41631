"""What the gateway has to meet is judged by the figures that were measured."""

from benchmarks.bars import bars
from benchmarks.gateway_plan import ALONE, CASES, NO_FLUSH, OURS
from benchmarks.run_case import Run
from benchmarks.saved import Results


def _run(peer: str, name: str, **figures: float) -> Run:
    case = next(case for case in CASES if (case.peer, case.name) == (peer, name))
    return Run(case=case, figures=figures)


def test_a_gateway_within_its_bars_meets_them() -> None:
    found = Results(
        [
            _run(OURS, ALONE, cpu_ms_per_call=0.5, import_s=0.4),
            _run(NO_FLUSH, ALONE, added_p50_ms=0.9),
            _run(OURS, "512 in flight", calls_per_cpu_s=2000.0),
            _run("bare_httpx", "512 in flight", calls_per_cpu_s=300.0),
        ]
    )

    assert [bar.met for bar in bars({"gateway": found})] == [True] * 5


def test_what_is_beyond_a_bar_is_missed() -> None:
    found = Results(
        [
            _run(OURS, ALONE, cpu_ms_per_call=0.7, import_s=0.6),
            _run(OURS, "512 in flight", calls_per_cpu_s=1000.0),
            _run("bare_httpx", "512 in flight", calls_per_cpu_s=1100.0),
        ]
    )

    assert [bar.met for bar in bars({"gateway": found})] == [False] * 4
