"""What a worker reports of one stage, with any field to vary."""

from typing import Any

from builders import NOW
from schemas.base import Stage
from schemas.why import Cause, PartitionWhy, StageWhy, WorkerWhy

TOPIC = "pressline.task.classified.bulk.v1"


def a_partition_why(**changes: Any) -> PartitionWhy:
    fields: dict[str, Any] = {
        "topic": TOPIC,
        "partition": 3,
        "head_offset": 7,
        "head_at": NOW,
        "pending": 4,
        "cause": Cause.QUOTA,
        "since": NOW,
    }
    return PartitionWhy(**{**fields, **changes})


def a_stage_why(**changes: Any) -> StageWhy:
    fields: dict[str, Any] = {
        "stage": Stage.GENERATE,
        "waiting": {Cause.QUOTA: 4},
        "active": {},
        "finished_per_s": 2.0,
        "partitions": (a_partition_why(),),
    }
    return StageWhy(**{**fields, **changes})


def a_worker_why(worker_id: str = "w1", **changes: Any) -> WorkerWhy:
    fields: dict[str, Any] = {
        "worker_id": worker_id,
        "at": NOW,
        "control_offset": 5,
        "stages": (a_stage_why(),),
    }
    return WorkerWhy(**{**fields, **changes})
