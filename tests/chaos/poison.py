"""Ten kinds of records that no stage can process, each to be dead-lettered byte for byte."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from schemas.base import Lane
from schemas.events import TaskClassified, TaskGenerated, TaskSubmitted, TaskValidated
from schemas.task import Task
from streams.engine.records import OutRecord
from streams.envelope import Lineage, event_record
from streams.topics import topic_name

SOURCE = "urn:pressline:chaos"
DEPTH = 100_000
LARGE_BYTES = 2 * 1_048_576
LATER_STAGES_SHARE = 0.4
LATER_STAGES = (TaskClassified, TaskGenerated, TaskValidated)

Headers = Sequence[tuple[str, bytes]]
Content = tuple[bytes | None, Headers]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonRecord:
    """One to send.

    Attributes:
        kind: its kind.
        record: the record.
        task: the task that it names so well that the task must end as dead-lettered, or None.
    """

    kind: str
    record: OutRecord
    task: Task | None = None

    @property
    def sha256(self) -> str | None:
        """Of the value; None for a null value."""
        value = self.record.value
        return None if value is None else hashlib.sha256(value).hexdigest()


def make_poison(number: int, good: Task, chance: random.Random) -> PoisonRecord:
    """Return poison of the next kind.

    Args:
        number: of the record, from 0; kinds take turns.
        good: a task that nobody else submits.
        chance: draws topic and key.
    """
    kind = (*NAMELESS, *NAMED)[number % (len(NAMELESS) + len(NAMED))]
    key = chance.randbytes(8)
    if kind in NAMED:
        task = NAMED[kind](good)
        made = event_record(TaskSubmitted(task=task), Lineage(source=SOURCE))
        return PoisonRecord(kind=kind, record=made, task=task)
    value, headers = NAMELESS[kind](number, good)
    later = chance.random() < LATER_STAGES_SHARE
    message = chance.choice(LATER_STAGES) if later else TaskSubmitted
    topic = topic_name(message, chance.choice(list(Lane)))
    return PoisonRecord(kind=kind, record=OutRecord(topic=topic, key=key, value=value, headers=headers))


def _good(task: Task) -> tuple[bytes, Headers]:
    made = event_record(TaskSubmitted(task=task), Lineage(source=SOURCE))
    return made.value or b"", made.headers


def _not_json(number: int, task: Task) -> Content:
    return b"\x00\xff{poison %d" % number, _good(task)[1]


def _wrong_schema(number: int, task: Task) -> Content:
    return orjson.dumps({"poison": number}), _good(task)[1]


def _depth_bomb(number: int, task: Task) -> Content:
    return b"[" * DEPTH + b"%d" % number + b"]" * DEPTH, _good(task)[1]


def _large(number: int, task: Task) -> Content:
    return orjson.dumps({"poison": number, "padding": "x" * LARGE_BYTES}), _good(task)[1]


def _null_value(number: int, task: Task) -> Content:
    return None, _good(task)[1]


def _missing_headers(number: int, task: Task) -> Content:
    return _good(task)[0], ()


def _wrong_type(number: int, task: Task) -> Content:
    value, headers = _good(task)
    return value, [(n, b"foreign.type.v%d" % number if n == "ce_type" else v) for n, v in headers]


def _duplicate_keys(number: int, task: Task) -> Content:
    return b'{"task":%d,%b' % (number, _good(task)[0][1:]), _good(task)[1]


def _unknown_recipe(task: Task) -> Task:
    return task.model_copy(update={"recipe": "no-such-recipe"})


def _invalid_inputs(task: Task) -> Task:
    return task.model_copy(update={"inputs": {**task.inputs, "distance_km": "far"}})


NAMELESS: dict[str, Callable[[int, Task], Content]] = {
    "not_json": _not_json,
    "wrong_schema": _wrong_schema,
    "depth_bomb": _depth_bomb,
    "two_mebibytes": _large,
    "null_value": _null_value,
    "missing_headers": _missing_headers,
    "wrong_type": _wrong_type,
    "duplicate_keys": _duplicate_keys,
}
NAMED: dict[str, Callable[[Task], Task]] = {
    "unknown_recipe": _unknown_recipe,
    "invalid_inputs": _invalid_inputs,
}
