"""What a run leaves behind: the checker sees this and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

SendResult = Literal["ok", "fail", "unknown"]
"""Jepsen's three classes: acknowledged, refused for certain, and neither is known."""


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


class GroupPartition(NamedTuple):
    """What one commit is about."""

    group: str
    topic: str
    partition: int


class CallId(NamedTuple):
    """One attempt at one step of one revision."""

    revision: str
    step: str
    attempt: int

    @property
    def key(self) -> tuple[str, str]:
        """What may be paid for once."""
        return self.revision, self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A task that was sent.

    Attributes:
        submission_id: its identity.
        task_id: its task.
        result: what the producer was told.
        poison: whether it must end as a dead letter.
        order_key: of tasks whose order is to be kept.
    """

    submission_id: str
    task_id: str
    result: SendResult
    poison: bool = False
    order_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A record that cannot be processed, as it was acknowledged.

    Attributes:
        kind: one of the ten.
        place: where the broker put it.
        sha256: of its value, or None for a null value.
    """

    kind: str
    place: Place
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A worker that was killed, or paused for longer than its session.

    Attributes:
        row: of the fault matrix.
        at_s: wall time in seconds.
        worker_id: who it was.
        open_calls: intents of that worker that were open in the journal then.
        finished: records in the finished topic at that moment.
    """

    row: str
    at_s: float
    worker_id: str
    open_calls: frozenset[CallId]
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFault:
    """A fault of the schedule.

    Attributes:
        row: of the fault matrix.
        name: what it was.
        lasted_s: from its beginning to its healing, in seconds.
        recovery_s: from then until more tasks ended, in seconds; None where none did.
    """

    row: str
    name: str
    lasted_s: float
    recovery_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record of any topic.

    Attributes:
        place: where it stands.
        sha256: of its value, or None for a null value.
        ce_id: CloudEvents id, or empty.
        source: CloudEvents source, or empty.
        origin: where a dead letter came from, else None.
        retry_of: the record that it stands for while that waits, and afterwards; else None.
        outcome: how a finished event says that the task ended, else None.
        canary: whether a header holds a secret or a text of a prompt.
    """

    place: Place
    sha256: str | None
    ce_id: str
    source: str
    origin: Place | None = None
    retry_of: Place | None = None
    outcome: str | None = None
    canary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the provider saw it.

    Attributes:
        call: what the caller named it.
        at_s: wall time of its arrival in seconds.
        ended_s: wall time of its end, or None when it never ended.
        status: of the answer, or None when none was sent whole.
        task_id: whose it is.
        fault: what the provider did to it on purpose: a fault of the simulated provider, `late` for an answer
            after the call's deadline, `slow` for one not long before it, or None.
        retry_after_s: how long the provider asked to wait, in seconds, if it did.
    """

    call: CallId
    at_s: float
    ended_s: float | None
    status: int | None
    task_id: str = ""
    fault: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A row of `model_calls`.

    Attributes:
        call: which attempt.
        state: open, answered, failed or unknown.
        worker_id: who opened it.
    """

    call: CallId
    state: str
    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkLine:
    """A line of the sink's log.

    Attributes:
        key: revision of the page.
        task_id: its task.
        effect: whether anything changed on the disk.
        page_exists: whether the page is there at the end.
    """

    key: str
    task_id: str
    effect: bool
    page_exists: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A row of `tasks`."""

    submission_id: str
    task_id: str
    state: str


class Commit(NamedTuple):
    """What a group has committed for one partition."""

    offset: int
    metadata: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was committed, and then how far the topics reached.

    Attributes:
        commits: those that changed since the sample before.
        ends: next offset of each partition that grew since then, read after the commits.
    """

    commits: Mapping[GroupPartition, Commit]
    ends: Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefacts:
    """All of it.

    Attributes:
        stuck: what had not come to its end when the run gave up waiting; empty when all had.
        self_ended_workers: workers that ended though nobody killed them.
        counters: what the workers counted that were there at the end, by metric.
        canaries: lines of logs and metrics that hold a secret or a text of a prompt.
    """

    submissions: tuple[Submission, ...] = ()
    poison: tuple[Poison, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    faults: tuple[AppliedFault, ...] = ()
    records: tuple[Record, ...] = ()
    requests: tuple[Request, ...] = ()
    calls: tuple[CallRow, ...] = ()
    sink: tuple[SinkLine, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    samples: tuple[Sample, ...] = ()
    stuck: tuple[str, ...] = ()
    self_ended_workers: tuple[str, ...] = ()
    counters: Mapping[str, float] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()
