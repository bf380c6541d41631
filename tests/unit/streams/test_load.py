from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from builders import a_task
from fakes.loads import FakeLoads, a_batch, a_status
from schemas.codec import decode
from schemas.events import TaskSubmitted
from schemas.headers import text_headers
from streams.engine.records import OutRecord
from streams.load import CHUNK_ROWS, BatchConflictError, Claim, claim, send_tasks
from streams.store.batches import Batch

PREFIX = "babc-"


class FakeSender:
    """Keeps what is sent; breaks in place of the chunk `broken_at`."""

    def __init__(self, broken_at: int | None = None) -> None:
        self.records: list[OutRecord] = []
        self._chunks = 0
        self._broken_at = broken_at

    async def send(self, records: Sequence[OutRecord]) -> None:
        self._chunks += 1
        if self._chunks == self._broken_at:
            raise ConnectionError
        self.records.extend(records)


def make(batch_id: str) -> Batch:
    return a_batch(batch_id=batch_id)


def tasks(count: int) -> list[Any]:
    return [a_task(task_id=f"t{number}", row=number) for number in range(1, count + 1)]


async def send(sender: FakeSender, loads: FakeLoads, claimed: Claim) -> None:
    await send_tasks(sender, loads, claimed, tasks(claimed.batch.rows_total), lambda _sent: None)


async def test_the_first_run_is_1() -> None:
    loads = FakeLoads()

    assert await claim(loads, make, None, PREFIX) == Claim(batch=make("babc-1"), rows_sent=0, resumed=False)


async def test_an_unfinished_run_is_resumed() -> None:
    loads = FakeLoads()
    await claim(loads, make, None, PREFIX)
    await loads.set_sent("babc-1", 7)

    assert await claim(loads, make, None, PREFIX) == Claim(batch=make("babc-1"), rows_sent=7, resumed=True)


async def test_after_a_finished_run_comes_the_next() -> None:
    loads = FakeLoads()
    for run in range(1, 12):
        claimed = await claim(loads, make, None, PREFIX)
        assert claimed.batch.batch_id == f"babc-{run}"
        loads.stored[claimed.batch.batch_id] = a_status(claimed.batch, published=10)


async def test_runs_of_other_options_are_not_resumed() -> None:
    loads = FakeLoads()
    await claim(loads, make, None, "bother-")

    assert (await claim(loads, make, None, PREFIX)).batch.batch_id == "babc-1"


async def test_a_named_load_is_taken_up_even_when_it_is_finished() -> None:
    loads = FakeLoads()
    await claim(loads, make, "nightly", PREFIX)
    loads.stored["nightly"] = a_status(make("nightly"), published=10)

    claimed = await claim(loads, make, "nightly", PREFIX)

    assert (claimed.resumed, claimed.rows_sent) == (True, 10)


async def test_a_named_load_of_other_content_is_refused() -> None:
    loads = FakeLoads()
    await claim(loads, make, "nightly", PREFIX)

    with pytest.raises(BatchConflictError, match="source_digest"):
        await claim(
            loads, lambda batch_id: replace(make(batch_id), source_digest="e" * 64), "nightly", PREFIX
        )


async def test_all_tasks_are_sent_once_and_counted() -> None:
    loads, sender = FakeLoads(), FakeSender()
    await loads.create(a_batch(rows_total=2 * CHUNK_ROWS + 3))
    seen: list[int] = []

    claimed = Claim(batch=loads.stored["b1-1"].batch, rows_sent=0, resumed=False)
    await send_tasks(sender, loads, claimed, tasks(2 * CHUNK_ROWS + 3), seen.append)

    assert [decode(r.value, TaskSubmitted).task.row for r in sender.records] == list(
        range(1, 2 * CHUNK_ROWS + 4)
    )
    assert seen == [CHUNK_ROWS, 2 * CHUNK_ROWS, 2 * CHUNK_ROWS + 3]
    assert loads.stored["b1-1"].rows_sent == 2 * CHUNK_ROWS + 3


async def test_after_a_break_only_what_is_missing_is_sent() -> None:
    loads = FakeLoads()
    await loads.create(a_batch(rows_total=2 * CHUNK_ROWS))
    batch = loads.stored["b1-1"].batch
    broken, second = FakeSender(broken_at=2), FakeSender()
    with pytest.raises(ConnectionError):
        await send(broken, loads, Claim(batch=batch, rows_sent=0, resumed=False))

    await send(second, loads, Claim(batch=batch, rows_sent=loads.stored["b1-1"].rows_sent, resumed=True))

    ids = [text_headers(r.headers)["ce_id"] for r in (*broken.records, *second.records)]
    assert len(ids) == len(set(ids)) == 2 * CHUNK_ROWS
