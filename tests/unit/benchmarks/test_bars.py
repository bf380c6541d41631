"""A bar is judged by medians, round by round against raw aiokafka, and only when it was measured."""

from benchmarks.bars import bars
from benchmarks.plan import GROUPS, Case
from benchmarks.run_case import Run
from benchmarks.saved import Results


def the_case(group: str, peer: str, name: str) -> Case:
    return next(case for case in GROUPS[group] if (case.peer, case.name) == (peer, name))


def noop_runs(cpu_us: dict[str, list[float]]) -> Results:
    return Results(
        Run(case=the_case("noop", peer, "no call"), figures={"cpu_us_per_record": value})
        for peer, values in cpu_us.items()
        for value in values
    )


def test_the_cost_is_compared_in_each_round() -> None:
    found = noop_runs(
        {"raw_aiokafka": [20.0, 40.0, 20.0], "pressline": [38.0, 76.0, 90.0], "arroyo_threads": [60.0]}
    )

    [ratio, lowest] = bars({"noop": found})

    assert (ratio.seen, ratio.met) == ("1.90 x (1.90 to 4.50)", True)
    assert (lowest.seen, lowest.met) == ("76 µs", False)


def test_the_rate_is_a_share_of_calls_in_flight() -> None:
    case = the_case("calls", "pressline", "1 s calls, 256 in flight")
    figures = [{"calls_per_s": rate, "cores_per_process": 0.05} for rate in (200.0, 254.0, 256.0)]
    found = Results(Run(case=case, figures=each) for each in figures)

    [rate, cores] = bars({"calls": found})

    assert (rate.seen, rate.met, cores.met) == ("99.2% (78.1% to 100.0%)", True, True)


def test_what_was_not_measured_is_not_judged() -> None:
    stalled = Run(case=the_case("noop", "pressline", "no call"), figures={}, problem="it stands still")

    assert bars({"noop": Results([stalled])}) == []
    assert bars({}) == []
