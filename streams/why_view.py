"""What the broker knows and what the workers report, put together: a row for each partition."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.base import Stage
from schemas.why import Cause, PartitionWhy, WorkerWhy
from streams.backlog import PartitionBacklog
from streams.engine.records import Partition

ADVICE: Mapping[Cause, str] = {
    Cause.IDLE: "",
    Cause.TURN: "more workers, or a higher PRESSLINE_IN_FLIGHT",
    Cause.IN_STAGE: "nothing; if it lasts, look at the worker's log",
    Cause.IN_CALL: "nothing; if it lasts, look at the provider",
    Cause.QUOTA: "raise the provider's limits in the catalogue, or lower the load; workers do not help",
    Cause.RETRY: "nothing; `pressline dead-letters list` if it is given up",
    Cause.COMMIT_FAILING: "look at the brokers and at the worker's log; results are not lost",
    Cause.PAUSED: "`pressline pause --list`, then `pressline resume`",
    Cause.BREAKER_OPEN: "look at what fails; it is probed by itself, or `pressline resume` lets it go on",
    Cause.DOWNSTREAM_FULL: "see the error: make the topic, raise its limits, or let this account write to it",
    Cause.NO_OWNER: "start a worker: `pressline worker --stages {stage}`",
    Cause.NO_REPORT: "look at that worker's /why and log; restart it if it does not answer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyRow:
    """One partition of one stage.

    Attributes:
        stage: which stage.
        partition: which partition.
        pending: unfinished records up to the end of the log.
        worker: id of the worker that holds it, or None.
        cause: what its oldest unfinished record waits for.
        detail: particulars of the cause.
        since: since when, or None when nobody knows.
        head_at: timestamp of that record, or None when nobody has it.
        head_offset: its offset, or None when nobody has it.
        task_id: its task, or None.
        todo: what a person can do.
    """

    stage: Stage
    partition: Partition
    pending: int
    worker: str | None
    cause: Cause
    detail: str = ""
    since: datetime | None = None
    head_at: datetime | None = None
    head_offset: int | None = None
    task_id: str | None = None

    @property
    def todo(self) -> str:
        """What a person can do about it."""
        return ADVICE[self.cause].format(stage=self.stage)


def why_rows(backlog: Iterable[PartitionBacklog], reports: Iterable[WorkerWhy]) -> tuple[WhyRow, ...]:
    """Return a row for each partition, in the order of `backlog`."""
    known = {
        (report.worker_id, stage.stage, Partition(why.topic, why.partition)): why
        for report in reports
        for stage in report.stages
        for why in stage.partitions
    }
    return tuple(_row(one, known.get((one.owner or "", one.stage, one.partition))) for one in backlog)


def _row(one: PartitionBacklog, why: PartitionWhy | None) -> WhyRow:
    if why is None:
        return WhyRow(
            stage=one.stage,
            partition=one.partition,
            pending=one.pending,
            worker=one.owner,
            cause=Cause.NO_OWNER if one.owner is None else Cause.NO_REPORT,
        )
    return WhyRow(
        stage=one.stage,
        partition=one.partition,
        pending=why.pending,
        worker=one.owner,
        cause=why.cause,
        detail=why.detail,
        since=why.since,
        head_at=why.head_at,
        head_offset=why.head_offset,
        task_id=why.task_id,
    )
