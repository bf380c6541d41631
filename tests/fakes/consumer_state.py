"""What a stage consumer does at one moment, with any field to vary."""

from typing import Any

from streams.engine.records import Partition
from streams.engine.state import ConsumerState, PartitionState, RecordState

PARTITION = Partition("pressline.task.classified.bulk.v1", 3)


def a_record_state(**changes: Any) -> RecordState:
    fields: dict[str, Any] = {
        "offset": 7,
        "waits_for": "stage",
        "call": None,
        "retry_at": None,
        "closed": None,
        "probe_at": None,
        "scopes": (),
        "timestamp_ms": 1_000,
        "task_id": "task-7",
    }
    return RecordState(**{**fields, **changes})


def a_partition_state(**changes: Any) -> PartitionState:
    fields: dict[str, Any] = {
        "partition": PARTITION,
        "next_offset": 7,
        "head_offset": 7,
        "unfinished": 0,
        "uncommitted": False,
        "head": None,
    }
    return PartitionState(**{**fields, **changes})


def a_consumer_state(*partitions: PartitionState, **changes: Any) -> ConsumerState:
    fields: dict[str, Any] = {
        "at_s": 100.0,
        "partitions": partitions,
        "records": tuple(p.head for p in partitions if p.head is not None),
        "finished": 0,
        "commit_error": None,
        "polled_s": 100.0,
        "moved_s": 100.0,
        "polls": True,
    }
    return ConsumerState(**{**fields, **changes})
