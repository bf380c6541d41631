"""The task index takes what the stages take, and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from builders import a_task
from fakes.claim_store import FakeClaimStore
from schemas.codec import encode
from schemas.events import TaskSubmitted
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE
from schemas.task import Task
from streams.envelope import Lineage, event_record
from streams.store.task_events import TaskEvent
from streams.store.task_rows import TaskRow
from streams.task_index import EVENTS_MAX, ROWS, TAPPED, TaskIndexer, _events
from streams.topics import RETRY_TIERS


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


@dataclass(slots=True)
class FakeTable:
    """Remembers how many rows each write had."""

    writes: list[int] = field(default_factory=list)

    async def put(self, rows: Iterable[TaskRow | TaskEvent]) -> None:
        self.writes.append(len(list(rows)))


async def written(*records: Consumed, claims: FakeClaimStore) -> tuple[list[int], list[int]]:
    tasks, history = FakeTable(), FakeTable()
    untouched: Any = None
    indexer = TaskIndexer("nowhere:9092", "c", cast("Any", tasks), untouched, cast("Any", history), claims)
    await indexer._write(cast("Any", records))
    return tasks.writes, history.writes


async def test_large_events_are_written_one_at_a_time_and_all_others_together() -> None:
    claims, event = FakeClaimStore(), consumed()
    check = await claims.put(event.value or b"")
    claimed = replace(consumed(**{CLAIM_CHECK: CLAIM_CHECK_TYPE}), value=encode(check))

    tasks, history = await written(claimed, *[event] * (EVENTS_MAX + 1), claimed, claims=claims)

    assert tasks == history == [EVENTS_MAX + 1, 1, 1]


async def test_an_event_that_waits_for_another_attempt_is_history_and_no_progress() -> None:
    waiting = replace(consumed(), topic=RETRY_TIERS[0].topic)

    assert await written(waiting, claims=FakeClaimStore()) == ([0], [1])


def test_every_event_that_is_listened_to_has_its_row() -> None:
    assert ROWS.keys() == set(TAPPED)


async def test_an_index_that_is_told_to_stop_before_it_started_has_nothing_to_stop() -> None:
    untouched: Any = None
    indexer = TaskIndexer("nowhere:9092", "c", untouched, untouched, untouched, FakeClaimStore())

    await indexer.stop()

    assert indexer.should_stop
