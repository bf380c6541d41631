"""The gateway's benchmark in its shortest form: it runs, counts and has every figure. No time is judged."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gateway_plan import ALONE, BARE, CASES, OURS
from benchmarks.gateway_run import GatewayBench
from benchmarks.saved import Results
from benchmarks.tables import table

pytestmark = pytest.mark.integration
PYTHON = Path(sys.executable)
CALLS = 20


async def test_gateway_and_bare_transport_are_measured_side_by_side() -> None:
    cases = [replace(case, records=CALLS, in_flight=1) for case in CASES if case.name == ALONE]
    chosen = [case for case in cases if case.peer in (BARE, OURS)]

    async with GatewayBench() as bench:
        runs = [await bench.run(case, PYTHON) for case in chosen]

    assert [run.problem for run in runs] == [None, None]
    assert [(run.missing, run.repeated) for run in runs] == [(0, 0), (0, 0)]
    assert {"added_p50_ms", "import_s", "postgres_cpu_ms_per_call"} <= runs[1].figures.keys()
    assert "**Pressline's gateway**" in table(Results(runs))
