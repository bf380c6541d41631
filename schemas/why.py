"""Why work waits: what each worker reports of its partitions, every few seconds."""

import math
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.base import Message, Stage


class Cause(StrEnum):
    """What a record or a partition waits for."""

    IDLE = "idle"
    TURN = "turn"
    IN_STAGE = "in stage"
    IN_CALL = "in call"
    QUOTA = "quota"
    RETRY = "retry"
    COMMIT_FAILING = "commit failing"
    PAUSED = "paused"
    BREAKER_OPEN = "breaker open"
    DOWNSTREAM_FULL = "downstream full"
    NO_OWNER = "no owner"
    NO_REPORT = "no report"


RECORD_CAUSES = (
    Cause.TURN,
    Cause.IN_STAGE,
    Cause.IN_CALL,
    Cause.QUOTA,
    Cause.RETRY,
    Cause.PAUSED,
    Cause.BREAKER_OPEN,
    Cause.DOWNSTREAM_FULL,
)
"""What a record in flight can wait for; the others are of partitions."""


class PartitionWhy(Message):
    """One partition of one stage, as the worker that holds it sees it."""

    topic: str
    partition: int
    head_offset: int = Field(description="Lowest unfinished offset; all below it are finished.")
    head_at: datetime | None = Field(description="Timestamp of that record, when it is taken.")
    task_id: str | None = Field(None, description="Of that record, when its headers say.")
    pending: int = Field(ge=0, description="Unfinished records up to the end of the log.")
    cause: Cause
    detail: str = ""
    since: datetime = Field(description="Since when offset and cause are these.")


class StageWhy(Message):
    """One stage of one worker."""

    stage: Stage
    waiting: dict[Cause, int] = Field(description="Records in flight by what they wait for.")
    active: dict[str, int] = Field(description="Records at work by what they belong to, as `kind name`.")
    finished_per_s: float = Field(ge=0, description="Over the last minute.")
    work_s: float = Field(0.0, ge=0, description="Seconds of work a record takes, without waits for limits.")
    call_s: float = Field(0.0, ge=0, description="Seconds that a model call takes; 0: none was made.")
    calls_per_s_max: float | None = Field(None, description="What the providers' limits allow all workers.")
    at_once: int = Field(1, ge=1, description="Most records that this worker works on at once.")
    stalled: bool = False
    partitions: tuple[PartitionWhy, ...]

    @property
    def pending(self) -> int:
        """Unfinished records of all its partitions: the true backlog."""
        return sum(partition.pending for partition in self.partitions)

    @property
    def head_at(self) -> datetime | None:
        """Timestamp of the oldest unfinished record that is known."""
        return min((p.head_at for p in self.partitions if p.head_at is not None), default=None)

    @property
    def drain_s(self) -> float:
        """Seconds until the backlog is done at the present rate; infinite when nothing is finished."""
        if not self.pending:
            return 0.0
        return self.pending / self.finished_per_s if self.finished_per_s else math.inf


class WorkerWhy(Message):
    """One worker."""

    worker_id: str
    at: datetime
    control_offset: int = Field(ge=-1, description="Newest change of the control topic that it follows.")
    stages: tuple[StageWhy, ...]
