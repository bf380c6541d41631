"""Where a task's time went, put together from its events."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW
from streams.store.task_events import EventKind, TaskEvent
from streams.task_path import path_steps, revisions


def at(
    seconds: float, kind: EventKind, timing_s: Mapping[str, float] | None = None, **more: Any
) -> TaskEvent:
    return TaskEvent(
        submission_id="s",
        event_id=f"{kind}{seconds}",
        kind=kind,
        stage="generate",
        at=NOW + timedelta(seconds=seconds),
        topic="t",
        partition=0,
        offset=0,
        timing_s=timing_s or {},
        detail=more,
    )


def test_what_a_stage_does_not_account_for_was_spent_in_line() -> None:
    _, step = path_steps(
        [at(0, EventKind.SUBMITTED), at(10, EventKind.GENERATED, {"quota": 2.0, "call": 5.0})]
    )

    assert step.time_s == {"in line": 3.0, "quota": 2.0, "call": 5.0}
    assert step.total_s == 10.0


def test_time_between_stages_has_the_name_of_what_came_before() -> None:
    events = [
        at(0, EventKind.CLASSIFIED),
        at(1, EventKind.POSTPONED),
        at(61, EventKind.RETURNED),
        at(70, EventKind.REVIEW_REQUESTED, {"stage": 9.0}),
        at(100, EventKind.VALIDATED),
    ]

    spent = [step.time_s for step in path_steps(events)[1:]]

    assert spent == [
        {"in line": 1.0},
        {"retry topic": 60.0},
        {"in line": 0.0, "stage": 9.0},
        {"review": 30.0},
    ]


def test_a_dead_letter_stands_beside_the_end_and_its_replay_after_it() -> None:
    events = [
        at(0, EventKind.CLASSIFIED),
        at(5, EventKind.DEAD_LETTERED),
        at(5, EventKind.FINISHED, {"stage": 5.0}),
        at(65, EventKind.REPLAYED),
    ]

    spent = [step.time_s for step in path_steps(events)]

    assert spent == [{}, {}, {"in line": 0.0, "stage": 5.0}, {"dead letter": 60.0}]


@pytest.mark.parametrize("passed_s", [-5.0, 1.0])
def test_clocks_that_differ_make_no_time_negative(passed_s: float) -> None:
    _, step = path_steps([at(0, EventKind.SUBMITTED), at(passed_s, EventKind.CLASSIFIED, {"stage": 2.0})])

    assert step.time_s == {"in line": 0.0, "stage": 2.0}


def test_the_works_identity_comes_from_every_plan() -> None:
    plans = [at(n, EventKind.CLASSIFIED, plan={"revision": r}) for n, r in enumerate(("a", "b", "a"))]

    assert revisions([at(0, EventKind.SUBMITTED), *plans]) == {"a", "b"}
