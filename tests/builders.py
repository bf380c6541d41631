"""Valid values with any field to vary: `a_task(budget_usd=Decimal(1))`."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue

from schemas.base import Lane, Outcome, Risk, Severity, Stage, Tier
from schemas.events import (
    Document,
    Finding,
    Plan,
    Repair,
    ReviewDecided,
    ReviewRequested,
    Spend,
    StepResult,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from schemas.task import PublishTarget, Task
from schemas.usage import Usage, UsageRecorded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
M = TypeVar("M", bound=BaseModel)

RECIPE_REF = "flight-route@0123456789ab"
INPUTS: dict[str, JsonValue] = {
    "from_iata": "CDG",
    "from_city": "Paris",
    "from_country": "France",
    "to_iata": "FCO",
    "to_city": "Rome",
    "to_country": "Italy",
    "distance_km": 1105,
    "airlines": ["Air France", "Alitalia"],
    "n_airlines": 2,
    "equipment": ["319", "320"],
}
BODY = (
    "Paris and Rome are 1105 km apart along the great circle. Air France and Alitalia are the two airlines "
    "that the route data names between CDG and FCO.\n"
)


def a_task(**changes: Any) -> Task:
    base = Task(
        task_id="flight-route/CDG-FCO",
        recipe="flight-route",
        inputs=dict(INPUTS),
        tenant="acme",
        team="seo",
        feature="routes",
        batch_id="batch-1",
        row=1,
        lane=Lane.BULK,
        target=PublishTarget(site="flights", slug=None),
    )
    return _changed(base, changes)


def a_plan(**changes: Any) -> Plan:
    base = Plan(
        recipe=RECIPE_REF,
        revision=a_task().revision("0123456789ab"),
        difficulty=0.2,
        tier=Tier.SMALL,
        model="small-1",
        risk=Risk.LOW,
        why="Difficulty 0.2 is at most 0.5: the small tier is good enough.",
    )
    return _changed(base, changes)


def a_document(**changes: Any) -> Document:
    base = Document(
        slug="flights-cdg-fco",
        title="Flights from Paris (CDG) to Rome (FCO)",
        description="Distance, airlines and aircraft between Paris CDG and Rome FCO.",
        body=BODY,
        data={"distance_km": 1105},
        simulated=False,
    )
    return _changed(base, changes)


def a_usage(**changes: Any) -> Usage:
    return _changed(Usage(input_fresh=400, output=300), changes)


def a_usage_recorded(**changes: Any) -> UsageRecorded:
    task = a_task()
    base = UsageRecorded(
        call_id=f"{a_plan().revision}/write/1",
        task_id=task.task_id,
        submission_id=task.submission_id,
        batch_id=task.batch_id,
        tenant=task.tenant,
        team=task.team,
        feature=task.feature,
        recipe=RECIPE_REF,
        step="write",
        provider="fake",
        model="small-1",
        usage=a_usage(),
        cost_usd=Decimal("0.001"),
        simulated=False,
        latency_s=1.5,
        recorded_at=NOW,
    )
    return _changed(base, changes)


def a_step_result(**changes: Any) -> StepResult:
    base = StepResult(
        step="write",
        provider="fake",
        model="small-1",
        output={"title": "Flights from Paris (CDG) to Rome (FCO)", "body_markdown": BODY},
        usage=a_usage(),
        cost_usd=Decimal("0.001"),
        replayed=False,
        simulated=False,
        latency_s=1.5,
    )
    return _changed(base, changes)


def a_spend(**changes: Any) -> Spend:
    return _changed(Spend(calls=1, usage=a_usage(), cost_usd=Decimal("0.001")), changes)


def a_finding(**changes: Any) -> Finding:
    base = Finding(check="length", severity=Severity.ERROR, message="100 words, expected at least 120")
    return _changed(base, changes)


def a_repair(**changes: Any) -> Repair:
    return _changed(Repair(round=1, findings=(a_finding(),)), changes)


def a_submitted(**changes: Any) -> TaskSubmitted:
    return _changed(TaskSubmitted(task=a_task()), changes)


def a_classified(**changes: Any) -> TaskClassified:
    return _changed(TaskClassified(task=a_task(), plan=a_plan(), repair=None, spend=Spend()), changes)


def a_generated(**changes: Any) -> TaskGenerated:
    base = TaskGenerated(
        task=a_task(),
        plan=a_plan(),
        document=a_document(),
        steps=(a_step_result(),),
        repair_round=0,
        spend=a_spend(),
    )
    return _changed(base, changes)


def a_validated(**changes: Any) -> TaskValidated:
    base = TaskValidated(
        task=a_task(), plan=a_plan(), document=a_document(), score=0.9, findings=(), spend=a_spend()
    )
    return _changed(base, changes)


def a_finished(**changes: Any) -> TaskFinished:
    base = TaskFinished(
        task=a_task(),
        outcome=Outcome.PUBLISHED,
        stage=Stage.PUBLISH,
        title=a_document().title,
        url="https://flights.example/flights-cdg-fco",
        content_hash="0" * 64,
        score=0.9,
        spend=a_spend(),
    )
    return _changed(base, changes)


def a_review_requested(**changes: Any) -> ReviewRequested:
    base = ReviewRequested(held=a_validated(), reason="score 0.5 is below 0.6")
    return _changed(base, changes)


def a_review_decided(**changes: Any) -> ReviewDecided:
    task = a_task()
    base = ReviewDecided(
        task_id=task.task_id,
        submission_id=task.submission_id,
        approved=True,
        reviewer="ann@example.org",
        decided_at=NOW,
    )
    return _changed(base, changes)


def _changed(base: M, changes: dict[str, Any]) -> M:
    """Return the message with the changes, validated again: a builder never makes what the wire refuses."""
    fields = {name: getattr(base, name) for name in type(base).model_fields}
    return type(base).model_validate({**fields, **changes})
