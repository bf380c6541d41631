"""A short seeded run, as `make chaos` does it: its own processes, its own exit code."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

# On two idle cores it takes less than four minutes; a machine that does other things besides may take longer.
RUN_S_MAX = 900.0
ROOT = Path(__file__).parents[2]
SHORT = ("--tasks", "5000", "--kills", "10", "--broker-kills", "0", "--faults", "K1", "--seed", "1")


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.chaos", *SHORT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:  # noqa: S603 - our own command
        try:
            output, log = run.communicate(timeout=RUN_S_MAX)
        except subprocess.TimeoutExpired:
            run.terminate()  # unlike SIGKILL it leaves no brokers behind
            output, log = run.communicate()
    assert output, log.decode()
    last: dict[str, Any] = orjson.loads(output.splitlines()[-1])
    return last | {"exit_code": run.returncode, "log": log.decode()}


@pytest.mark.chaos
def test_nothing_is_violated(result: dict[str, Any]) -> None:
    assert result["exit_code"] == 0, result["log"]
    assert set(result["violations"].values()) == {0}


@pytest.mark.chaos
def test_the_run_was_a_trial(result: dict[str, Any]) -> None:
    survived = result["survived"]

    assert survived["faults"] == {"K1": 1, "W1": 10}
    assert survived["intents_open_at_interruptions"] >= survived["repeated_calls"] > 0
    assert sum(survived["poison"].values()) == 50
    assert len(survived["poison"]) == 10
    assert survived["offset_samples"] > 50
