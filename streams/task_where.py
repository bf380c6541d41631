"""Where a task that has not ended is now, and what it waits for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schemas.base import Stage
from streams.engine.records import Partition
from streams.engine.timestamps import moment
from streams.store.task_events import EventKind, TaskEvent
from streams.store.task_rows import Progress
from streams.task_path import TaskPath
from streams.why_view import WhyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a task is.

    Attributes:
        stage: who has it before it, or None while that is not known.
        waits_for: what it waits for.
        since: since when that is so, or None.
        todo: what a person can do, may be empty.
    """

    stage: str | None
    waits_for: str
    since: datetime | None = None
    todo: str = ""


def where_without_broker(path: TaskPath, now: datetime) -> Where | None:
    """Return where the task is if that is known without asking the broker.

    Args:
        path: of a submission without an outcome.
        now: the present time (aware).
    """
    if path.task.state == Progress.IN_REVIEW and path.review is not None and path.review.decided is None:
        return Where(
            stage="review",
            waits_for=f"a person's decision: {path.review.reason}",
            since=path.review.requested_at,
            todo=f"`pressline review show {path.task.submission_id}`, then approve or reject",
        )
    last = path.steps[-1].event if path.steps else None
    if last is not None and last.kind is EventKind.POSTPONED:
        return _postponed(last, now)
    return None


def where_in_partition(path: TaskPath, rows: Iterable[WhyRow]) -> Where:
    """Return what the broker and the workers know of the partition that the task's last record is in.

    Args:
        path: of a submission without an outcome.
        rows: each partition of the stages, from `why_rows`.
    """
    last = path.steps[-1].event if path.steps else None
    stage = path.task.stage
    found = [row for row in rows if last and row.partition == Partition(last.topic, last.partition)]
    if last is None or not found:
        todo = "`pressline why-stuck` shows every partition"
        return Where(stage=stage, waits_for="its record is not known to the index", todo=todo)
    return _before(found[0], last)


def _postponed(last: TaskEvent, now: datetime) -> Where:
    text = str(last.detail.get("not_before_ms", ""))
    due = moment(int(text) if text.isdecimal() else None)
    why = f"after {last.detail.get('reason')}, in {last.topic}"
    if due > now:
        return Where(stage=last.stage, waits_for=f"its next try at {due:%H:%M:%S} UTC {why}", since=last.at)
    return Where(
        stage=last.stage,
        waits_for=f"its return, due since {due:%H:%M:%S} UTC, {why}",
        since=last.at,
        todo="it may come a minute late; without a worker of `--stages redeliver` it does not come",
    )


def _before(row: WhyRow, last: TaskEvent) -> Where:
    place = f"{row.partition.topic}-{row.partition.partition}@{last.offset}"
    cause = f"{row.cause} {row.detail}".strip()
    if row.head_offset is None:
        return Where(stage=row.stage, waits_for=f"{cause}, at {place}", since=row.since, todo=row.todo)
    if last.offset < row.head_offset:
        done = f"news: {row.stage} is done with {place}, and the index has not seen what came of it"
        return Where(stage=row.stage, waits_for=done, todo="ask again; `index` must run in a worker")
    if last.offset == row.head_offset:
        return Where(stage=row.stage, waits_for=f"{cause}, at {place}", since=row.since, todo=row.todo)
    behind = last.offset - row.head_offset
    # Those before it may be finished out of order, and it may be at work itself.
    waits_for = f"{cause}, up to {behind} records behind the head of its partition, at {place}"
    return Where(stage=row.stage, waits_for=waits_for, since=row.since, todo=row.todo)


def where_unknown(path: TaskPath, why: str) -> Where:
    """Return that the broker could not be asked; `why` says what was seen."""
    before = path.task.stage if path.task.stage in set(Stage) else None
    return Where(stage=before, waits_for=f"not known: {why}")
