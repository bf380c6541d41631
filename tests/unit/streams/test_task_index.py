"""The task index takes what the stages take, and nothing else."""

from dataclasses import dataclass

from builders import a_task
from schemas.events import TaskSubmitted
from streams.envelope import Lineage, event_record
from streams.task_index import _events


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    topic: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int = 0
    offset: int = 0
    key: bytes = b"k"
    timestamp: int = 0


def consumed(**changed: str) -> Consumed:
    made = event_record(TaskSubmitted(task=a_task()), Lineage(source="urn:test"))
    headers = {name: value for name, value in made.headers if changed.get(name) != ""}
    headers |= {name: value.encode() for name, value in changed.items() if value}
    return Consumed(topic=made.topic, value=made.value, headers=tuple(headers.items()))


def test_an_event_is_indexed() -> None:
    assert [seen.event.task for seen in _events([consumed()])] == [a_task()]


def test_an_event_without_its_context_is_dead_lettered_so_it_is_not_indexed() -> None:
    foreign = [consumed(ce_id=""), consumed(ce_type="foreign.type.v1"), consumed(ce_specversion="0.3")]

    assert list(_events(foreign)) == []
