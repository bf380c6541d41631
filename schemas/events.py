"""Events in pipeline order, one class per topic."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field, JsonValue

from schemas.base import Identifier, Message, Outcome, Ratio, Risk, Severity, Slug, Stage, Tier
from schemas.failures import FailureReason
from schemas.recipe import PARTS_MAX
from schemas.task import Task
from schemas.usage import CacheResult, Usage, UsageRecorded

STEPS_MAX = 100
FINDINGS_MAX = 200
MESSAGE_CHARS_MAX = 500


class Finding(Message):
    """One thing that a check saw on a page."""

    check: Identifier = Field(description="Name of the check.")
    severity: Severity = Field(description="What the finding does to the page.")
    message: str = Field(max_length=MESSAGE_CHARS_MAX, description="What was seen and what was expected.")


class Repair(Message):
    """A request to make the document again, with what was wrong with the last one."""

    round: int = Field(ge=1, description="Number of the repair, from 1.")
    findings: tuple[Finding, ...] = Field(max_length=FINDINGS_MAX, description="What was wrong.")


class Plan(Message):
    """What classify decided; later stages follow it."""

    recipe: Identifier = Field(description="`name@version`: the version that the task is bound to.")
    revision: Identifier = Field(description="Identity of the work; see `Task.revision`.")
    difficulty: Ratio = Field(description="0 (a form letter) to 1 (as hard as it gets).")
    tier: Tier = Field(description="The cheapest size class that is good enough.")
    model: Identifier = Field(description="The model chosen for the tier from the catalogue.")
    risk: Risk = Field(description="The higher of the task's and the recipe's risk.")
    why: str = Field(max_length=MESSAGE_CHARS_MAX, description="Why this tier, this effort and this risk.")
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        None, description="How much models think in steps that leave it to the plan; None: no step does."
    )


class StepResult(Message):
    """One finished step of a recipe."""

    step: Identifier = Field(description="Path of the step in the run, such as `write` or `write/repair-1`.")
    provider: Identifier = Field(description="Who answered.")
    model: Identifier = Field(description="The model that was asked.")
    output: dict[str, JsonValue] = Field(description="The answer, valid for the step's schema.")
    usage: Usage = Field(description="Tokens of the call.")
    cost_usd: Decimal = Field(ge=0, description="What this submission paid for it (0 if replayed).")
    replayed: bool = Field(description="True when the journal answered.")
    simulated: bool = Field(description="True when the simulated provider answered.")
    latency_s: float = Field(ge=0, description="Seconds from request to whole answer.")
    degraded_by: str | None = Field(
        None,
        max_length=500,
        description="The soft budget that made it cheaper, the stale answer, or why a template stands in.",
    )
    fallback_from: Identifier | None = Field(None, description="As in the record of its call.")
    fallback_reason: FailureReason | None = Field(None, description="The same.")
    template: Identifier | None = Field(
        None, description="File that the output was made from, as no model answered; None: a model did."
    )
    cache: CacheResult | None = Field(
        None, description="What the answer cache had; None: the step does not use it."
    )
    trimmed: tuple[Identifier, ...] = Field(
        (), max_length=PARTS_MAX, description="Parts of the prompt that were trimmed so that it fits."
    )


class Document(Message):
    """A page as generate made it."""

    slug: Slug = Field(description="Address inside the site.")
    title: str = Field(min_length=1, max_length=300, description="Title, plain text.")
    description: str = Field("", max_length=1000, description="Meta description, plain text.")
    body: str = Field(description="The page in Markdown.")
    data: dict[str, JsonValue] = Field(default_factory=dict, description="Other fields for the front matter.")
    simulated: bool = Field(description="True when any part was written by the simulated provider.")


class Spend(Message):
    """What a submission has used so far."""

    calls: int = Field(
        0, ge=0, le=1_000_000, description="Model calls that were paid for by this submission."
    )
    usage: Usage = Field(Usage(), description="Their tokens.")
    cost_usd: Decimal = Field(Decimal(0), ge=0, description="Their price in US dollars.")
    cache_hits: int = Field(0, ge=0, le=1_000_000, description="Answers of the cache, stale ones included.")
    saved_usd: Decimal = Field(
        Decimal(0), ge=0, description="What those answers cost when they were bought, in US dollars."
    )

    def plus(self, records: Iterable[UsageRecorded]) -> "Spend":
        """Return this spend with `records` added; what was replayed or cached cost nothing."""
        spend = self
        for record in records:
            if not record.replayed:
                spend = spend._with(record)
        return spend

    def _with(self, record: UsageRecorded) -> "Spend":
        return Spend(
            calls=self.calls + (not record.cached),
            usage=self.usage + record.usage,
            cost_usd=self.cost_usd + record.cost_usd,
            cache_hits=self.cache_hits + record.cached,
            saved_usd=self.saved_usd + record.saved_usd,
        )


class TaskSubmitted(Message):
    """A task was accepted. Topic `pressline.task.submitted.<lane>.v1`."""

    task: Task


class TaskClassified(Message):
    """A task has a plan. Topic `pressline.task.classified.<lane>.v1`."""

    task: Task
    plan: Plan
    repair: Repair | None = Field(None, description="Set when validate sent the document back.")
    spend: Spend = Field(Spend(), description="Used before this point, by earlier repair rounds.")


class TaskGenerated(Message):
    """A task has a document. Topic `pressline.task.generated.<lane>.v1`."""

    task: Task
    plan: Plan
    document: Document
    steps: tuple[StepResult, ...] = Field(max_length=STEPS_MAX)
    repair_round: int = Field(0, ge=0, description="How many repairs this document has been through.")
    spend: Spend


class TaskValidated(Message):
    """A document may be published. Topic `pressline.task.validated.<lane>.v1`."""

    task: Task
    plan: Plan
    document: Document
    score: Ratio = Field(description="1 is a page without findings; a heuristic of the recipe's checks.")
    findings: tuple[Finding, ...] = Field(max_length=FINDINGS_MAX)
    reviewer: Identifier | None = Field(None, description="Who approved it, when a person did.")
    spend: Spend


class TaskFinished(Message):
    """A task ended. Topic `pressline.task.finished.v1`: one terminal event per submission."""

    task: Task
    outcome: Outcome
    stage: Stage = Field(description="The stage that ended it.")
    reason: str = Field(
        "", max_length=MESSAGE_CHARS_MAX, description="Why, for outcomes other than published."
    )
    title: str | None = Field(None, description="Title of the page, once there is one.")
    url: str | None = Field(None, description="Where the page is.")
    content_hash: str | None = Field(None, description="sha256 of the published page, 64 hex digits.")
    score: Ratio | None = None
    findings: tuple[Finding, ...] = Field((), max_length=FINDINGS_MAX)
    spend: Spend
    replay: int = Field(
        0, ge=0, le=9999, description="How many times the task came back from a dead-letter topic."
    )


class ReviewRequested(Message):
    """A document waits for a person. Topic `pressline.review.requested.v1`."""

    held: TaskValidated = Field(description="What is published if the reviewer approves.")
    reason: str = Field(max_length=MESSAGE_CHARS_MAX, description="Why a machine may not decide.")


class ReviewDecided(Message):
    """A person decided. Topic `pressline.review.decided.v1`."""

    task_id: Identifier
    submission_id: Identifier
    approved: bool
    reviewer: Identifier
    reason: str = Field("", max_length=MESSAGE_CHARS_MAX)
    decided_at: datetime


StageInput = TaskSubmitted | TaskClassified | TaskGenerated | TaskValidated
"""What a stage takes."""

Event = TaskSubmitted | TaskClassified | TaskGenerated | TaskValidated | TaskFinished | ReviewRequested
"""What a stage takes or makes."""
