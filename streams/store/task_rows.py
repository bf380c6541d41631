"""Rows of the table `tasks`: what an event says of its task, and which of two rows says more."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

import orjson
from pydantic_core import to_json

from schemas.base import Outcome, Stage
from schemas.events import Finding, Spend, TaskFinished
from schemas.task import Task
from streams.store.text import storable

UNSPENT: Final = Spend()


class Progress(StrEnum):
    """How far a task that has not ended is, in order. The states after these are the outcomes."""

    ACCEPTED = "accepted"
    CLASSIFIED = "classified"
    GENERATED = "generated"
    VALIDATED = "validated"
    IN_REVIEW = "in_review"


STAGE_OF: Final = {
    Progress.ACCEPTED: Stage.CLASSIFY,
    Progress.CLASSIFIED: Stage.GENERATE,
    Progress.GENERATED: Stage.VALIDATE,
    Progress.VALIDATED: Stage.PUBLISH,
    Progress.IN_REVIEW: Stage.VALIDATE,
}
"""The stage that has a task of that progress before it (for `in_review`: that held it)."""

ENDED: Final = frozenset(outcome.value for outcome in Outcome)
PLACE: Final = {state.value: place for place, state in enumerate((*Progress, *Outcome))}
"""The order of the type `task_state`."""


class TaskRow(NamedTuple):
    """What one event says of its task; the fields are columns, `inputs` and `findings` as JSON text."""

    submission_id: str
    task_id: str
    batch_id: str | None
    row_number: int
    recipe: str
    tenant: str
    inputs: str
    stage: str
    state: str
    reason: str
    title: str | None
    url: str | None
    score: float | None
    findings: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    cache_hits: int
    saved_usd: Decimal
    replay: int


def progress_row(  # noqa: PLR0913 - what is known of a page at one point is not known at another
    task: Task,
    progress: Progress,
    *,
    reason: str = "",
    title: str | None = None,
    score: float | None = None,
    findings: tuple[Finding, ...] = (),
    spend: Spend = UNSPENT,
    replay: int = 0,
) -> TaskRow:
    """Return the row of a task that was seen at a point of the pipeline.

    Args:
        task: the task.
        progress: the point.
        reason: why it is in review, else empty.
        title: title of its page, once there is one.
        score: score of its page, once there is one.
        findings: of the checks, once they ran.
        spend: used up to this point.
        replay: how many times it came back from a dead-letter topic.
    """
    return _row(
        task,
        stage=STAGE_OF[progress],
        state=progress,
        reason=reason,
        title=title,
        url=None,
        score=score,
        findings=findings,
        spend=spend,
        replay=replay,
    )


def finished_row(event: TaskFinished) -> TaskRow:
    """Return the row of a task that ended."""
    return _row(
        event.task,
        stage=event.stage,
        state=event.outcome,
        reason=event.reason,
        title=event.title,
        url=event.url,
        score=event.score,
        findings=event.findings,
        spend=event.spend,
        replay=event.replay,
    )


def merged(rows: Iterable[TaskRow]) -> list[TaskRow]:
    """Return one row for each submission, in the order of their ids: what all its rows come to.

    The rule is that of the statement, by which a row takes the place of the one in the table.
    """
    kept: dict[str, TaskRow] = {}
    # The end of a task that never had a page of its own keeps the title that was seen before it.
    for row in sorted(rows, key=_has_ended):
        before = kept.get(row.submission_id)
        if before is None:
            kept[row.submission_id] = row
        elif _follows(row, before):
            kept[row.submission_id] = _after(row, before)
    return [kept[submission_id] for submission_id in sorted(kept)]


def _has_ended(row: TaskRow) -> bool:
    return row.state in ENDED


def _follows(row: TaskRow, before: TaskRow) -> bool:
    if row.replay != before.replay:
        return row.replay > before.replay
    return not _has_ended(before) and PLACE[row.state] >= PLACE[before.state]


def _after(row: TaskRow, before: TaskRow) -> TaskRow:
    return row._replace(
        title=before.title if row.title is None else row.title,
        calls=max(before.calls, row.calls),
        input_tokens=max(before.input_tokens, row.input_tokens),
        output_tokens=max(before.output_tokens, row.output_tokens),
        cost_usd=max(before.cost_usd, row.cost_usd),
        cache_hits=max(before.cache_hits, row.cache_hits),
        saved_usd=max(before.saved_usd, row.saved_usd),
    )


def _row(  # noqa: PLR0913 - one for each column that is the event's own
    task: Task,
    *,
    stage: Stage,
    state: Progress | Outcome,
    reason: str,
    title: str | None,
    url: str | None,
    score: float | None,
    findings: tuple[Finding, ...],
    spend: Spend,
    replay: int,
) -> TaskRow:
    return TaskRow(
        submission_id=task.submission_id,
        task_id=task.task_id,
        batch_id=task.batch_id,
        row_number=task.row or 0,
        recipe=task.recipe,
        tenant=task.tenant,
        inputs=to_json(task.inputs).decode(),  # unlike orjson it writes integers of any size
        stage=stage.value,
        state=state.value,
        reason=storable(reason),
        title=None if title is None else storable(title),
        url=url,
        score=score,
        findings=_findings(findings),
        calls=spend.calls,
        input_tokens=spend.usage.input,
        output_tokens=spend.usage.output,
        cost_usd=spend.cost_usd,
        cache_hits=spend.cache_hits,
        saved_usd=spend.saved_usd,
        replay=replay,
    )


def _findings(findings: tuple[Finding, ...]) -> str:
    return orjson.dumps([finding.model_dump(mode="json") for finding in findings]).decode()
