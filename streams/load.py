"""Loading: the rows of a file become tasks on the topic, each exactly once, however often it is tried."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from schemas.events import TaskSubmitted
from schemas.task import Task
from streams.engine.records import OutRecord
from streams.envelope import Lineage, event_record
from streams.progress import is_finished
from streams.store.batches import Batch, BatchStatus

CHUNK_ROWS = 500
CLAIM_TRIES_MAX = 10
SOURCE = "urn:pressline:load"


class BatchConflictError(Exception):
    """The load's id belongs to another load; the text says what differs."""


class Sender(Protocol):
    """Where records go; see `RecordProducer`."""

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Send and wait until the broker has acknowledged every record."""


class Loads(Protocol):
    """What loading asks of the store; see `PostgresBatches`."""

    async def create(self, batch: Batch) -> bool:
        """Store a new load; False when that id is there already."""

    async def get(self, batch_id: str) -> BatchStatus | None:
        """Return the load with its counts, or None."""

    async def find_by_digest(self, source_digest: str) -> Sequence[BatchStatus]:
        """Return the loads of a source with this content, newest first."""

    async def set_sent(self, batch_id: str, rows_sent: int) -> None:
        """Record how many rows the broker has acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The load that a command works on.

    Attributes:
        batch: the load.
        rows_sent: rows that were sent before.
        resumed: whether an earlier command made it.
    """

    batch: Batch
    rows_sent: int
    resumed: bool


async def claim(loads: Loads, make: Callable[[str], Batch], batch_id: str | None, prefix: str) -> Claim:
    """Return the load to work on: the newest run if it is not finished, else a new one.

    Args:
        loads: where loads are.
        make: makes a load from its id.
        batch_id: the id that the user named, or None for `prefix` and the number of the run, from 1.
        prefix: what the ids of all runs begin with.

    Raises:
        BatchConflictError: the load of that id is of other content.
        StoreUnavailableError: the database is away.
    """
    for _ in range(CLAIM_TRIES_MAX):
        existing = await (_runs(loads, make(prefix), prefix) if batch_id is None else loads.get(batch_id))
        if existing is not None and (batch_id is not None or not is_finished(existing)):
            _check_same(existing.batch, make(existing.batch.batch_id))
            return Claim(batch=existing.batch, rows_sent=existing.rows_sent, resumed=True)
        batch = make(batch_id or f"{prefix}{_run(existing, prefix) + 1}")
        # Another command may have made it since.
        if await loads.create(batch):
            return Claim(batch=batch, rows_sent=0, resumed=False)
    raise BatchConflictError(f"{CLAIM_TRIES_MAX} other loads took the id meanwhile; try again")


async def send_tasks(
    sender: Sender,
    loads: Loads,
    claimed: Claim,
    tasks: Iterable[Task],
    on_sent: Callable[[int], None],
) -> None:
    """Send the tasks that were not sent yet, CHUNK_ROWS at a time.

    After a kill at most one chunk is sent again; its records have the same ids, so nothing is done twice.

    Args:
        sender: where records go.
        loads: where it is written down how many were sent.
        claimed: the load.
        tasks: all of its tasks, in order.
        on_sent: told the number of rows that were sent, after each chunk.

    Raises:
        EventTooLargeError: a task is larger than the topic takes.
        KafkaError: the broker did not take a chunk.
        StoreUnavailableError: the database is away.
    """
    sent = claimed.rows_sent
    for chunk in _chunks(islice(tasks, sent, claimed.batch.rows_total)):
        lineage = Lineage(source=SOURCE)
        await sender.send([event_record(TaskSubmitted(task=task), lineage) for task in chunk])
        sent += len(chunk)
        await loads.set_sent(claimed.batch.batch_id, sent)
        on_sent(sent)


async def _runs(loads: Loads, batch: Batch, prefix: str) -> BatchStatus | None:
    """The newest run; a load that the user named himself is none."""
    same = await loads.find_by_digest(batch.source_digest)
    return max(
        (status for status in same if status.batch.batch_id.startswith(prefix)),
        key=lambda status: _run(status, prefix),
        default=None,
    )


def _run(status: BatchStatus | None, prefix: str) -> int:
    digits = status.batch.batch_id.removeprefix(prefix) if status else ""
    return int(digits) if digits.isdecimal() else 0


def _check_same(found: Batch, wanted: Batch) -> None:
    for name in ("source_digest", "recipe_name", "recipe_version", "tenant", "lane", "rows_total"):
        seen, expected = getattr(found, name), getattr(wanted, name)
        if seen != expected:
            raise BatchConflictError(
                f"load {found.batch_id} is there with {name} {seen}, this one has {expected}; "
                "choose another --batch"
            )


def _chunks(tasks: Iterator[Task]) -> Iterator[list[Task]]:
    while chunk := list(islice(tasks, CHUNK_ROWS)):
        yield chunk
