"""The scenarios in a short form, as `make scenarios` plays them: their own processes, their own exit code."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.scenarios.__main__ import HELD, MISSED, SCENARIOS

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
RUN_S_MAX = 240.0
HOST_FACTOR = 3.0
"""A machine that does other things besides may take longer than a bar allows; counts have no such excuse."""


@pytest.mark.parametrize("name", [*SCENARIOS, "soak"])
def test_every_bar_is_held(name: str) -> None:
    done = play(name)

    assert done["exit_code"] in {HELD, MISSED}, done["log"]
    missed = [bar for bar, found in done["scenarios"][name]["bars"].items() if not _held(bar, found)]
    assert missed == [], done["log"]


def play(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scenarios", name, "--short"]
    path = os.pathsep.join((str(ROOT / "tests"), str(ROOT)))
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        try:
            output, log = run.communicate(timeout=RUN_S_MAX)
        except subprocess.TimeoutExpired:
            run.terminate()  # unlike SIGKILL it leaves no brokers behind
            output, log = run.communicate()
    assert output, log.decode()
    last: dict[str, Any] = orjson.loads(output.splitlines()[-1])
    return last | {"exit_code": run.returncode, "log": log.decode()}


def _held(bar: str, found: dict[str, Any]) -> bool:
    if bar.endswith("_s"):
        return bool(found["measured"] <= HOST_FACTOR * found["at_most"])
    return bool(found["held"])
