"""The engine holds in simulated chaos, and the simulation notices bugs that are planted."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import orjson
import pytest

from simulation.invariants import INVARIANTS
from simulation.mutants import MUTANTS, Mutant
from simulation.plan import Noise, Strike
from simulation.simulation import SeedResult, simulate

ROOT = Path(__file__).parents[2]
RUN_S_MAX = 120.0
SEEDS = 60
BLOCK = 20
MUTANT_SEEDS_MAX = 60

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def faults() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("first", range(1, SEEDS + 1, BLOCK))
def test_every_invariant_holds(first: int, faults: Counter[str]) -> None:
    results = [simulate(seed) for seed in range(first, first + BLOCK)]

    for result in results:
        faults.update(result.faults)
    assert {r.seed: r.violations for r in results if r.violations} == {}


def test_the_seeds_were_a_trial(faults: Counter[str]) -> None:
    if not faults:
        pytest.skip("only together with the seeds")
    kinds = {*Strike, *(noise.name for noise in fields(Noise))}
    assert {kind for kind in kinds if faults[kind] < SEEDS / 15} == set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_noticed(mutant: Mutant) -> None:
    caught = _first_that_notices(mutant)

    assert caught is not None, f"no seed of {MUTANT_SEEDS_MAX} notices it"
    assert simulate(caught.seed).violations == {}


def test_mutants_are_noticed_by_invariants_that_there_are() -> None:
    for mutant in MUTANTS:
        assert mutant.caught_by
        assert mutant.caught_by <= set(INVARIANTS)


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(7).trace == simulate(7).trace != simulate(8).trace


def test_the_same_seeds_are_the_same_runs_in_another_process() -> None:
    runs = [_command("--seeds", "4", hash_seed=str(number)) for number in (1, 2)]

    outputs = [orjson.loads(run.stdout.splitlines()[-1]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert outputs[0]["ok"]
    assert outputs[0]["trace"] == outputs[1]["trace"]
    assert set(outputs[0]["violations"]) == set(INVARIANTS)


def test_a_seed_that_fails_says_how_to_replay_it() -> None:
    run = _command("--seeds", "3", "--mutant", "dead_letter_dropped", hash_seed="0")

    output = orjson.loads(run.stdout.splitlines()[-1])
    assert run.returncode == 1
    assert output["violations"]["commit_passes_unfinished"]["first"][0] == 1
    assert b"make simulate SEEDS=1 SEED=1\n" in run.stderr


def _first_that_notices(mutant: Mutant) -> SeedResult | None:
    for seed in range(mutant.first_seed, mutant.first_seed + MUTANT_SEEDS_MAX):
        result = simulate(seed, mutant=mutant)
        if mutant.caught_by & result.violations.keys():
            return result
    return None


def _command(*arguments: str, hash_seed: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tests", "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        timeout=RUN_S_MAX,
        check=False,
    )
