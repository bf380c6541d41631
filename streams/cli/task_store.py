"""The database as `pressline task` uses it, and the path of a task read from it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streams.cli.exits import WorkFailedError
from streams.settings import Settings
from streams.store.migrations import migrated
from streams.store.reports import PostgresReports
from streams.store.reviews import PostgresReviews
from streams.store.task_calls import PostgresTaskCalls
from streams.store.task_events import PostgresTaskEvents
from streams.store.tasks import IndexedTask, PostgresTaskIndex
from streams.task_path import TaskPath, path_steps, revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStore:
    """Everything that is known of tasks."""

    tasks: PostgresTaskIndex
    events: PostgresTaskEvents
    calls: PostgresTaskCalls
    reviews: PostgresReviews
    reports: PostgresReports


@asynccontextmanager
async def open_tasks(settings: Settings) -> AsyncIterator[TaskStore]:
    """Connect to the database, its schema brought up to date.

    Raises:
        SettingsError: no database is set and none runs.
        StoreUnavailableError: it does not answer.
        MigrationError: its schema cannot become ours.
    """
    async with migrated(settings.need_database()) as database:
        yield TaskStore(
            tasks=PostgresTaskIndex(database),
            events=PostgresTaskEvents(database),
            calls=PostgresTaskCalls(database),
            reviews=PostgresReviews(database),
            reports=PostgresReports(database),
        )


async def read_path(store: TaskStore, name: str, submission_id: str | None) -> TaskPath:
    """Return the path of a task's newest submission, or of the one that is asked for.

    Args:
        store: where it is read.
        name: a task's id, or a submission's.
        submission_id: which of the task's submissions, or None.

    Raises:
        WorkFailedError: there is no such task or submission.
        StoreUnavailableError: the database is away.
    """
    submissions = await _submissions(store, name)
    wanted = submission_id or (name if any(s.submission_id == name for s in submissions) else None)
    chosen = [task for task in submissions if wanted in {None, task.submission_id}][:1]
    if not chosen:
        known = ", ".join(task.submission_id for task in submissions)
        raise WorkFailedError(f"{name}: has no submission {submission_id}, expected one of {known}")
    task = chosen[0]
    events = await store.events.of(task.submission_id)
    return TaskPath(
        task=task,
        others=tuple(other for other in submissions if other is not task),
        steps=path_steps(events),
        calls=tuple(await store.calls.of(task.submission_id, revisions(events), task.updated_at)),
        review=await store.reviews.get(task.submission_id),
    )


async def _submissions(store: TaskStore, name: str) -> list[IndexedTask]:
    submissions = list(await store.tasks.submissions(name))
    if submissions:
        return submissions
    single = await store.tasks.get(name)
    if single is not None:
        return list(await store.tasks.submissions(single.task_id))
    near = await store.tasks.neighbours(name)
    listed = f"next to it in order are {', '.join(near)}" if near else "the index has no task yet"
    raise WorkFailedError(
        f"{name}: no task or submission of this id was seen; {listed}. "
        "`pressline results LOAD` lists the tasks of a load"
    )
