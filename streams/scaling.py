"""How many workers a stage wants, and what keeps it from wanting more.

    desired = min(backlog need, quota need, partitions)
    backlog need = pending x seconds of work a record takes / (records at once in a worker x target seconds)
    quota need   = calls a second that the limits allow x seconds a call takes / records at once in a worker

The second is Little's law: with more workers than that, the others only wait for the provider.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from schemas.base import Stage
from schemas.why import StageWhy, WorkerWhy


class BoundBy(StrEnum):
    """What decides the number of workers."""

    BACKLOG = "backlog"
    QUOTA = "quota"
    PARTITIONS = "partitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a stage has to do, over all its workers.

    Attributes:
        pending: unfinished records.
        workers: how many run it now.
        partitions: how many workers can have work at all.
        work_s: seconds of work that a record takes, waiting for limits not counted; 0 when not known.
        call_s: seconds that a model call takes; 0 when not known.
        calls_per_s_max: what the providers' limits allow in all, or None for no limit.
        at_once: records that one worker works on at once.
    """

    pending: int
    workers: int
    partitions: int
    work_s: float
    call_s: float
    calls_per_s_max: float | None
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """How many workers a stage wants, and why not more."""

    workers: int
    bound_by: BoundBy


def desired(load: Load, backlog_s: float) -> Desired:
    """Return how many workers the stage wants.

    Args:
        load: what there is to do.
        backlog_s: seconds in which a backlog should be worked off.
    """
    needs = {
        BoundBy.BACKLOG: _backlog_need(load, backlog_s),
        BoundBy.QUOTA: _quota_need(load),
        BoundBy.PARTITIONS: load.partitions,
    }
    bound_by = min(needs, key=lambda bound: needs[bound])
    return Desired(workers=int(needs[bound_by]), bound_by=bound_by)


def load_of(
    stage: Stage, reports: Collection[WorkerWhy], *, unowned: int = 0, partitions: int | None = None
) -> Load:
    """Return a stage's load from what its workers report.

    Args:
        stage: which.
        reports: of the workers that are alive.
        unowned: records of partitions that no worker reports.
        partitions: how many numbers its topics have, or None for those that are reported.
    """
    found = [why for report in reports for why in report.stages if why.stage == stage]
    return Load(
        pending=sum(why.pending for why in found) + unowned,
        workers=len(found),
        partitions=partitions or max(1, len({p.partition for why in found for p in why.partitions})),
        work_s=_mean(found, "work_s"),
        call_s=_mean(found, "call_s"),
        calls_per_s_max=min(
            (w.calls_per_s_max for w in found if w.calls_per_s_max is not None), default=None
        ),
        at_once=max((why.at_once for why in found), default=1),
    )


def _backlog_need(load: Load, backlog_s: float) -> int:
    if not load.pending:
        return 0
    if not load.work_s:
        return max(1, load.workers)  # nothing is known yet that would speak for another number
    return max(1, math.ceil(load.pending * load.work_s / (load.at_once * backlog_s)))


def _quota_need(load: Load) -> float:
    if load.calls_per_s_max is None or not load.call_s:
        return math.inf
    return max(1, math.ceil(load.calls_per_s_max * load.call_s / load.at_once))


def _mean(found: Collection[StageWhy], name: str) -> float:
    """Weigh by what each finishes: a worker that does nothing knows nothing."""
    weights = [why.finished_per_s for why in found]
    values = [getattr(why, name) for why in found]
    total = sum(weights)
    return (
        sum(w * v for w, v in zip(weights, values, strict=True)) / total
        if total
        else max(values, default=0.0)
    )
