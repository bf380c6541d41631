"""When a scope is drained: every worker knows of it, and nothing of it is at work."""

import pytest

from fakes.worker_report import a_stage_why, a_worker_why
from schemas.base import Stage
from schemas.scope import Scope, ScopeKind
from schemas.why import WorkerWhy
from streams.cli.drain import at_work

SCOPES = {
    "stage": Scope(ScopeKind.STAGE, "generate"),
    "tenant": Scope(ScopeKind.TENANT, "acme"),
    "worker": Scope(ScopeKind.WORKER, "w1"),
}


def a_report(worker_id: str = "w1", *, offset: int = 5, stage: Stage = Stage.GENERATE) -> WorkerWhy:
    why = a_stage_why(stage=stage, active={"all": 3, "tenant acme": 2})
    return a_worker_why(worker_id, control_offset=offset, stages=(why,))


@pytest.mark.parametrize(("kind", "count"), [("stage", 3), ("tenant", 2), ("worker", 3)])
def test_what_is_at_work_is_waited_for(kind: str, count: int) -> None:
    assert at_work([a_report()], [SCOPES[kind]], 5) == f"{count} at work"


def test_work_of_other_stages_and_workers_is_not_waited_for() -> None:
    assert at_work([a_report("w2", stage=Stage.PUBLISH)], [SCOPES["stage"], SCOPES["worker"]], 5) == ""


def test_a_worker_that_was_not_told_is_waited_for() -> None:
    assert at_work([a_report("w2", offset=4)], [SCOPES["worker"]], 5) == "not told yet: w2"
