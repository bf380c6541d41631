"""The path of a submission with anything to vary."""

from decimal import Decimal
from typing import Any

from builders import INPUTS, NOW, a_plan, a_task, a_usage
from streams.store.task_calls import TaskCall
from streams.store.task_events import EventKind, TaskEvent
from streams.store.tasks import IndexedTask
from streams.task_path import TaskPath, path_steps


def an_indexed_task(**changes: Any) -> IndexedTask:
    task = a_task()
    fields: dict[str, Any] = {
        "submission_id": task.submission_id,
        "task_id": task.task_id,
        "batch_id": "batch-1",
        "row_number": 3,
        "recipe": task.recipe,
        "tenant": task.tenant,
        "stage": "generate",
        "state": "classified",
        "reason": "",
        "title": None,
        "url": None,
        "score": None,
        "findings": (),
        "calls": 1,
        "input_tokens": 400,
        "output_tokens": 300,
        "cost_usd": Decimal("0.001"),
        "cache_hits": 0,
        "saved_usd": Decimal(0),
        "replay": 0,
        "inputs": INPUTS,
        "accepted_at": NOW,
        "updated_at": NOW,
    }
    return IndexedTask(**{**fields, **changes})


def an_event(kind: EventKind, **changes: Any) -> TaskEvent:
    fields: dict[str, Any] = {
        "submission_id": a_task().submission_id,
        "event_id": f"{kind}",
        "kind": kind,
        "stage": "",
        "at": NOW,
        "topic": "pressline.task.classified.bulk.v1",
        "partition": 3,
        "offset": 40,
    }
    return TaskEvent(**{**fields, **changes})


def a_planned_event(**changes: Any) -> TaskEvent:
    detail = {"plan": a_plan().model_dump(mode="json"), "repair": None}
    return an_event(EventKind.CLASSIFIED, **{"stage": "classify", "detail": detail, **changes})


def a_call(**changes: Any) -> TaskCall:
    fields: dict[str, Any] = {
        "step": "write",
        "attempt": 1,
        "state": "answered",
        "provider": "openai",
        "model": "small-1",
        "response_model": None,
        "simulated": False,
        "replayed": False,
        "usage": a_usage(),
        "usage_estimated": False,
        "cost_usd": Decimal("0.001"),
        "finish_reason": "stop",
        "error": None,
        "opened_at": NOW,
        "latency_s": 1.5,
        "fallback_from": None,
        "fallback_reason": None,
        "first_token_s": None,
        "cache": None,
        "saved_usd": Decimal(0),
    }
    return TaskCall(**{**fields, **changes})


def a_path(*events: TaskEvent, **changes: Any) -> TaskPath:
    fields: dict[str, Any] = {
        "task": an_indexed_task(),
        "others": (),
        "steps": path_steps(events),
        "calls": (),
        "review": None,
    }
    return TaskPath(**{**fields, **changes})
