"""The task index takes what the stages take, and nothing else."""

from dataclasses import dataclass, replace
from typing import Any

from builders import a_task
from fakes.claim_store import FakeClaimStore
from schemas.codec import encode
from schemas.events import TaskSubmitted
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE
from schemas.task import Task
from streams.envelope import Lineage, event_record
from streams.task_index import TaskIndexer, _events


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


async def indexed(*records: Consumed, claims: FakeClaimStore | None = None) -> list[Task]:
    return [seen.event.task async for seen in _events(records, claims or FakeClaimStore())]


async def test_an_event_is_indexed() -> None:
    assert await indexed(consumed()) == [a_task()]


async def test_an_event_without_its_context_is_dead_lettered_so_it_is_not_indexed() -> None:
    foreign = [consumed(ce_id=""), consumed(ce_type="foreign.type.v1"), consumed(ce_specversion="0.3")]

    assert await indexed(*foreign) == []


async def test_an_event_behind_a_claim_check_is_indexed_and_one_whose_bytes_are_lost_is_not() -> None:
    claims, event = FakeClaimStore(), consumed()
    check = await claims.put(event.value or b"")
    claimed = replace(consumed(**{CLAIM_CHECK: CLAIM_CHECK_TYPE}), value=encode(check))

    assert await indexed(claimed, claims=claims) == [a_task()]
    assert await indexed(claimed, consumed(), claims=FakeClaimStore()) == [a_task()]


async def test_an_index_that_is_told_to_stop_before_it_started_has_nothing_to_stop() -> None:
    untouched: Any = None
    indexer = TaskIndexer("nowhere:9092", "c", untouched, untouched, untouched, FakeClaimStore())

    await indexer.stop()

    assert indexer.should_stop
