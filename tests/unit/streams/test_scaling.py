"""How many workers a stage wants: never more than quota and partitions can use."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.worker_report import a_partition_why, a_stage_why, a_worker_why
from schemas.base import Stage
from streams.scaling import BoundBy, Desired, Load, desired, load_of

BACKLOG_S = 600.0
LOADS = st.builds(
    Load,
    pending=st.integers(0, 10**7),
    workers=st.integers(0, 50),
    partitions=st.integers(1, 100),
    work_s=st.floats(0, 100),
    call_s=st.floats(0, 100),
    calls_per_s_max=st.none() | st.floats(0.01, 10_000),
    at_once=st.integers(1, 5_000),
)


def a_load(**changes: Any) -> Load:
    """100,000 records of 2 s of calls each, without limits."""
    fields: dict[str, Any] = {
        "pending": 100_000,
        "workers": 1,
        "partitions": 64,
        "work_s": 2.0,
        "call_s": 2.0,
        "calls_per_s_max": None,
        "at_once": 50,
    }
    return Load(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "workers", "bound_by"),
    [
        ({}, 7, BoundBy.BACKLOG),
        ({"calls_per_s_max": 60.0}, 3, BoundBy.QUOTA),
        ({"partitions": 4}, 4, BoundBy.PARTITIONS),
        ({"pending": 0}, 0, BoundBy.BACKLOG),
        ({"pending": 1}, 1, BoundBy.BACKLOG),
        ({"work_s": 0.0, "workers": 5}, 5, BoundBy.BACKLOG),
        ({"work_s": 0.0, "workers": 0}, 1, BoundBy.BACKLOG),
        ({"calls_per_s_max": 60.0, "call_s": 0.0}, 7, BoundBy.BACKLOG),
    ],
)
def test_the_smallest_need_decides(changes: dict[str, Any], workers: int, bound_by: BoundBy) -> None:
    assert desired(a_load(**changes), BACKLOG_S) == Desired(workers=workers, bound_by=bound_by)


@given(LOADS)
def test_never_more_than_partitions_or_quota_can_use(load: Load) -> None:
    found = desired(load, BACKLOG_S)

    assert 0 <= found.workers <= load.partitions
    if load.calls_per_s_max is not None and load.call_s:
        assert found.workers <= max(1, math.ceil(load.calls_per_s_max * load.call_s / load.at_once))


@given(LOADS, st.integers(0, 10**6))
def test_more_backlog_never_asks_for_fewer(load: Load, more: int) -> None:
    fields = {name: getattr(load, name) for name in Load.__slots__}

    larger = Load(**{**fields, "pending": load.pending + more})

    assert desired(larger, BACKLOG_S).workers >= desired(load, BACKLOG_S).workers


@given(LOADS)
def test_a_backlog_wants_at_least_one_worker(load: Load) -> None:
    assert (desired(load, BACKLOG_S).workers > 0) == (load.pending > 0)


def test_a_step_of_load_twice_the_quota_adds_no_worker_beyond_the_quota() -> None:
    """Demand of 120 calls a second on a limit of 60: 3 workers use it up, whatever the backlog becomes."""
    backlog, wants = 0.0, []
    for _ in range(60):
        backlog += 60.0 * (120.0 - 60.0)
        load = a_load(pending=int(backlog), calls_per_s_max=60.0)
        wants.append(desired(load, BACKLOG_S).workers)

    assert max(wants) == 3


def test_a_load_is_the_sum_of_what_all_workers_report() -> None:
    busy = a_stage_why(finished_per_s=3.0, work_s=2.0, call_s=1.0, calls_per_s_max=9.0, at_once=40)
    idle = a_stage_why(finished_per_s=0.0, partitions=(a_partition_why(partition=4, pending=1),), at_once=40)
    other = a_stage_why(stage=Stage.PUBLISH)
    reports = [a_worker_why("w1", stages=(busy, other)), a_worker_why("w2", stages=(idle,))]

    assert load_of(Stage.GENERATE, reports, unowned=7) == Load(
        pending=12, workers=2, partitions=2, work_s=2.0, call_s=1.0, calls_per_s_max=9.0, at_once=40
    )
