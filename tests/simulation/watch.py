"""What is checked while it happens, since afterwards nobody could tell: commits, results, takings, sends."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from processors.errors import TransientError, UnavailableError
from schemas.failures import RETRY_ATTEMPTS, RETRY_NOT_BEFORE
from schemas.headers import text_headers
from streams.engine.commit_metadata import decode
from streams.engine.delivery import RecordDelivery
from streams.engine.gate import StageGate
from streams.engine.intake import Ordering
from streams.engine.records import Delivery, InRecord

from .broker import DEAD, OUT, Cause, LogRecord
from .history import History
from .plan import LANES, Scenario, TaskPlan

Place = tuple[str, int]
Commit = tuple[int, str]
DELIVERY: ContextVar[tuple[str, InRecord, Delivery] | None] = ContextVar("delivery", default=None)
"""The delivery whose task this is: a send is told whose it is by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the watch may ask the world.

    Attributes:
        holds: whether a worker, as its own client knows, may still work on a partition.
        answered: whether the journal has the answer of a task's step.
        wall_s: the time of day in seconds.
        gate: what persons hold back.
    """

    holds: Callable[[str, Place], bool]
    answered: Callable[[str, str], bool]
    wall_s: Callable[[], float]
    gate: StageGate


class Watch:
    """The eyes of one seed.

    Attributes:
        results: where each task ended: `out`, `dead`, or both.
        exhausted: tasks that failed as often as they may.
        deliveries: how many began.
    """

    def __init__(self, scenario: Scenario, history: History, known: Known) -> None:
        self.results: dict[str, list[str]] = defaultdict(list)
        self.exhausted: set[str] = set()
        self.deliveries = 0
        self._scenario = scenario
        self._tasks: Mapping[str, TaskPlan] = {task.task_id: task for task in scenario.tasks}
        self._history = history
        self._known = known
        self._led_on: set[Cause] = set()
        self._read: dict[str, dict[Place, Commit]] = defaultdict(dict)
        self._attempts: dict[Delivery, int] = {}
        self._at_once: Counter[tuple[str, ...]] = Counter()
        self._taken: set[tuple[Any, int]] = set()
        self._keys: dict[tuple[Any, bytes | None], Delivery] = {}

    def assigned(self, worker: str, commits: Mapping[Place, Commit]) -> None:
        """The worker was told at an assignment what is finished."""
        self._read[worker] = dict(commits)

    def begun(self, worker: str, record: InRecord, delivery: Delivery) -> None:
        """An attempt begins."""
        self._history.note("begin", worker, record.topic, record.partition, record.offset)
        DELIVERY.set((worker, record, delivery))
        commit = self._read[worker].get((record.topic, record.partition))
        if commit is not None and not _lost(delivery) and record.offset in _finished(commit):
            self._violate("finished_again", worker, record, f"though {commit} was read at the assignment")
        if delivery not in self._attempts:
            self._attempts[delivery] = int(text_headers(record.headers).get(RETRY_ATTEMPTS, "0"))
            self._first_attempt(worker, record, delivery)
        self._check_key(worker, record, delivery)
        self._check_bounds(worker, record)

    def failed(self, record: InRecord, delivery: Delivery, error: Exception) -> None:
        """An attempt failed."""
        if isinstance(error, TransientError) and not isinstance(error, UnavailableError):
            self._attempts[delivery] += 1
            if self._attempts[delivery] == self._scenario.policy.attempts_max:
                self.exhausted.add((record.value or b"").decode())
            if self._attempts[delivery] > self._scenario.policy.attempts_max:
                self._violate("attempts_unbounded", "", record, f"{self._attempts[delivery]} failures")

    def ended(self, worker: str, record: InRecord, delivery: Delivery) -> None:
        """An attempt ended."""
        self._history.note("end", worker, record.topic, record.partition, record.offset)
        self._at_once[worker,] -= 1
        self._at_once[worker, record.topic, record.tenant] -= 1
        key = (getattr(delivery, "held", None), record.key)
        if self._keys.get(key) is delivery:
            del self._keys[key]

    def sending(self) -> Cause | None:
        """The task that runs begins to send; return in which record's processing, if in any."""
        current = DELIVERY.get()
        if current is None:
            return None
        worker, record, delivery = current
        if _lost(delivery) or not self._known.holds(worker, (record.topic, record.partition)):
            self._violate("sends_after_loss", worker, record, f"lost: {_lost(delivery)}")
        return record.topic, record.partition, record.offset

    def appended(self, record: LogRecord, cause: Cause | None) -> None:
        """A record is in a log."""
        task_id = (record.value or b"").decode()
        if cause is not None:
            self._led_on.add(cause)
        if record.topic in LANES:
            self._check_due(record)
        if record.topic in {OUT, DEAD}:
            self.results[task_id].append(record.topic)
        if record.topic == OUT:
            for step in self._tasks[task_id].steps:
                if not self._known.answered(task_id, step):
                    self._history.violate(
                        "answer_not_durable", f"{task_id} is done, {step} is not in the journal"
                    )

    def committed(self, place: Place, before: Commit | None, after: Commit) -> None:
        """A commit of the stage's group was accepted."""
        was = _finished(before) if before is not None else frozenset()
        now = _finished(after)
        if was - now:
            self._history.violate("commits_go_back", f"{place}: {before} -> {after}")
        for offset in sorted(now - was):
            if (*place, offset) not in self._led_on:
                self._history.violate("commit_passes_unfinished", f"{place}@{offset} by {after}")

    def _first_attempt(self, worker: str, record: InRecord, delivery: Delivery) -> None:
        self.deliveries += 1
        held = getattr(delivery, "held", None)
        taking = (held, record.offset)
        if held is not None and taking in self._taken:
            self._violate("taken_twice", worker, record, "in one life of its partition")
        self._taken.add(taking)
        span = held.window.span if held is not None else 0
        if span >= self._scenario.window_max + self._scenario.poll_records_max:
            self._violate("window_too_wide", worker, record, f"{span} offsets")
        why = self._known.gate.why(record.topic, record.tenant)
        if why is not None:
            self._violate("begins_while_held", worker, record, why)

    def _check_key(self, worker: str, record: InRecord, delivery: Delivery) -> None:
        key = (getattr(delivery, "held", None), record.key)
        other = self._keys.setdefault(key, delivery)
        if self._scenario.ordering is Ordering.KEY and other is not delivery:
            self._violate("keys_at_once", worker, record, "beside another record of its key")

    def _check_bounds(self, worker: str, record: InRecord) -> None:
        for who, most in (
            ((worker,), self._scenario.in_flight_max),
            ((worker, record.topic, record.tenant), self._scenario.tenant_in_flight_max),
        ):
            self._at_once[who] += 1
            if most is not None and self._at_once[who] > most:
                self._violate("too_many_at_once", worker, record, f"{self._at_once[who]} of {who}")

    def _check_due(self, record: LogRecord) -> None:
        due_ms = int(text_headers(record.headers).get(RETRY_NOT_BEFORE, "0"))
        if due_ms > self._known.wall_s() * 1000:
            self._history.violate("back_before_due", f"{record.topic}-{record.partition}@{record.offset}")

    def _violate(self, invariant: str, worker: str, record: InRecord, text: str) -> None:
        self._history.violate(
            invariant, f"{worker} {record.topic}-{record.partition}@{record.offset}: {text}"
        )


def _lost(delivery: Delivery) -> bool:
    return isinstance(delivery, RecordDelivery) and delivery.held.lost


def _finished(commit: Commit) -> frozenset[int]:
    offset, metadata = commit
    return frozenset(range(offset)) | decode(offset, metadata)
