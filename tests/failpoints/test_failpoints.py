"""A short seeded run, and bugs that are planted in it: the checker has to notice each."""

import asyncio
from collections.abc import Iterator

import pytest

from failpoints.bench import Bench, a_provider, cleared, open_bench
from failpoints.collect import collect
from failpoints.evidence import Evidence
from failpoints.invariants import check
from failpoints.mutants import MUTANTS, Mutant, planted
from failpoints.plan import Failpoint, Round, plan
from failpoints.report import summary
from failpoints.rounds import play
from streams.embedded.postgres import EmbeddedPostgres

KILLS = 10
SEED = 1

pytestmark = [pytest.mark.chaos, pytest.mark.integration]


@pytest.fixture(scope="module")
def opened(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("failpoints")
    with a_provider(folder) as provider:
        yield asyncio.run(open_bench(postgres.url, provider, folder))


@pytest.fixture
def bench(opened: Bench) -> Bench:
    return asyncio.run(cleared(opened))


def played(bench: Bench, *rounds: Round) -> Evidence:
    return asyncio.run(collect(bench, play(bench, rounds)))


def violated(run: Evidence) -> dict[str, tuple[str, ...]]:
    return {name: found for name, found in check(run).items() if found}


def test_no_received_answer_is_bought_again_wherever_a_worker_is_killed(bench: Bench) -> None:
    run = played(bench, *plan(SEED, KILLS))

    assert violated(run) == {}
    told = summary(SEED, run, check(run), 0.0)
    for point in told["failpoints"].values():
        assert point["kills"] == KILLS
        assert point["durable_answers_bought_again"] == 0
    repeated = {name: point["victims_repeated"] for name, point in told["failpoints"].items()}
    assert repeated == {"after_reserve": 0, "mid_call": KILLS, "after_answer": KILLS, "before_commit": 0}
    assert told["booked_usd_where_known"] == told["billed_usd_where_known"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_noticed(bench: Bench, mutant: Mutant) -> None:
    with planted(mutant):
        run = played(bench, Round(name=mutant.name, failpoint=mutant.failpoint))

    assert mutant.caught_by & violated(run).keys()


@pytest.mark.parametrize(
    ("failpoint", "step", "requests"),
    [(Failpoint.MID_CALL, 8, 11), (Failpoint.AFTER_RESERVE, 8, 10), (Failpoint.BEFORE_COMMIT, 7, 10)],
)
def test_a_recipe_of_ten_steps_killed_after_step_7_repeats_no_finished_step(
    bench: Bench, failpoint: Failpoint, step: int, requests: int
) -> None:
    ten = Round(name="ten", failpoint=failpoint, steps=10, victim_step=step)

    run = played(bench, ten)

    assert violated(run) == {}
    steps = [request.call.step for request in run.requests]
    assert [steps.count(f"step_{number}") for number in range(1, 8)] == [1] * 7
    assert len(steps) == requests
