"""A peer that could not be measured stands in the table by name and reason."""

from benchmarks.plan import GROUPS
from benchmarks.run_case import Run
from benchmarks.saved import Results
from benchmarks.tables import table

CASE = GROUPS["noop"][0]


def test_a_peer_without_figures_stands_there_with_its_reason() -> None:
    found = Results([Run(case=CASE, figures={}, problem="cannot be installed: no such version")])

    assert "cannot be installed: no such version" in table(found).splitlines()[-1]


def test_a_cell_shows_median_and_range() -> None:
    found = Results(Run(case=CASE, figures={"cpu_us_per_record": value}) for value in (20.0, 30.0, 25.0))

    assert "| 25 (20 to 30) |" in table(found)
