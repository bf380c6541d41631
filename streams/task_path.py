"""The whole path of one submission, put together from what the index, the journal and persons know of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue

from schemas.base import Outcome
from streams.store.reviews import Review
from streams.store.task_calls import TaskCall
from streams.store.task_events import EventKind, TaskEvent
from streams.store.tasks import IndexedTask

IN_LINE = "in line"
"""Before a worker took the record: behind others in its partition, or nobody was there."""
BETWEEN = {
    EventKind.POSTPONED: "retry topic",
    EventKind.REVIEW_REQUESTED: "review",
    EventKind.FINISHED: "dead letter",
}
"""What the time after such an event went into, when no stage took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """One event and the time that led to it.

    Attributes:
        event: what happened.
        time_s: seconds since the event before it, by what they went into.
    """

    event: TaskEvent
    time_s: Mapping[str, float]

    @property
    def total_s(self) -> float:
        """Seconds since the event before."""
        return sum(self.time_s.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPath:
    """One submission from its first record to its outcome, or to where it is.

    Attributes:
        task: the submission.
        others: further submissions of the same task, newest first.
        steps: what happened, in order.
        calls: its model calls, one for each attempt, in order.
        review: what a person was asked and decided, or None.
    """

    task: IndexedTask
    others: tuple[IndexedTask, ...]
    steps: tuple[PathStep, ...]
    calls: tuple[TaskCall, ...]
    review: Review | None

    @property
    def outcome(self) -> str | None:
        """How it ended, or None while it is under way."""
        return self.task.state if self.task.state in set(Outcome) else None

    @property
    def plan(self) -> Mapping[str, JsonValue] | None:
        """What classify decided, the newest of its plans."""
        plans = [step.event.detail["plan"] for step in self.steps if "plan" in step.event.detail]
        plan = plans[-1] if plans else None
        return plan if isinstance(plan, dict) else None

    @property
    def total_s(self) -> float | None:
        """Seconds from the first to the last event, or None when fewer than two are known."""
        if len(self.steps) < 2:  # noqa: PLR2004 - a time has two ends
            return None
        return (self.steps[-1].event.at - self.steps[0].event.at).total_seconds()

    @property
    def time_s(self) -> Mapping[str, float]:
        """Seconds of the whole path by what they went into, the most first."""
        sums: Counter[str] = Counter()
        for step in self.steps:
            sums.update(step.time_s)
        return dict(sums.most_common())

    @property
    def booked_usd(self) -> Decimal:
        """What its calls cost by the ledger, calls whose outcome is unknown at their worst case."""
        return sum((call.cost_usd for call in self.calls if not call.replayed), Decimal(0))


def path_steps(events: Iterable[TaskEvent]) -> tuple[PathStep, ...]:
    """Return the events, each with what the time before it went into."""
    steps: list[PathStep] = []
    previous: TaskEvent | None = None
    for event in events:
        steps.append(PathStep(event=event, time_s=_time_s(event, previous)))
        # A dead letter stands beside the event that ends the task, and none follows from it.
        previous = previous if event.kind is EventKind.DEAD_LETTERED else event
    return tuple(steps)


def revisions(events: Sequence[TaskEvent]) -> frozenset[str]:
    """Return the identities of the work that the submission was planned to do."""
    plans = (event.detail.get("plan") for event in events)
    return frozenset(str(plan["revision"]) for plan in plans if isinstance(plan, dict))


def _time_s(event: TaskEvent, previous: TaskEvent | None) -> Mapping[str, float]:
    """Clocks of several workers may differ: no time is below 0."""
    if previous is None or event.kind is EventKind.DEAD_LETTERED:
        return {}
    passed_s = max(0.0, (event.at - previous.at).total_seconds())
    if not event.timing_s:
        return {BETWEEN.get(previous.kind, IN_LINE): passed_s}
    in_line_s = max(0.0, passed_s - sum(event.timing_s.values()))
    return {IN_LINE: in_line_s, **event.timing_s}
