"""What a stage consumer has taken and not finished: who goes next, and how much more may be taken."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from processors.fair_queue import FairQueue
from streams.engine.partitions import HeldPartition
from streams.engine.records import InRecord


class Ordering(StrEnum):
    """What order a stage keeps inside a partition."""

    UNORDERED = "unordered"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """Bounds of what is taken.

    Attributes:
        ordering: order inside a partition.
        weights: the topics, each with the weight of its lane.
        records_max: most records of a lane held at once. Tenants share the work fairly as far as these reach.
        bytes_max: most bytes of keys and values of a lane held at once.
        tenant_max: most records of one tenant and lane in work at once, or None for no such bound.
    """

    ordering: Ordering = Ordering.UNORDERED
    weights: Mapping[str, int]
    records_max: int
    bytes_max: int
    tenant_max: int | None = None


@dataclass(slots=True, eq=False)
class Arrival:
    """A record that waits for its turn.

    Attributes:
        record: the record.
        held: its partition.
        taken_s: monotonic time at which it was taken.
    """

    record: InRecord
    held: HeldPartition
    taken_s: float = field(default_factory=time.monotonic)


@dataclass(slots=True, eq=False)
class _Lane:
    records: int = 0
    size: int = 0


class Intake:
    """Records from their taking to their end.

    In key order a record waits until the earlier one of its key has ended; the others go on.

    Args:
        settings: bounds.
        closed: asked with topic and tenant whether their records must wait for now.
    """

    def __init__(self, settings: IntakeSettings, closed: Callable[[str, str], bool]) -> None:
        self._settings = settings
        self._lanes = {topic: _Lane() for topic in settings.weights}
        self._queue: FairQueue[Arrival] = FairQueue(
            settings.weights, tenant_max=settings.tenant_max, closed=closed
        )
        self._room = asyncio.Event()

    def __len__(self) -> int:
        """Return how many wait for their turn; those that wait for their key are not among them."""
        return len(self._queue)

    def __iter__(self) -> Iterator[Arrival]:
        """Iterate over what waits for its turn."""
        return iter(self._queue)

    def take(self, record: InRecord, held: HeldPartition) -> None:
        """Hold the record and let it wait for its turn."""
        lane = self._lanes[record.topic]
        lane.records += 1
        lane.size += record.size
        if self._settings.ordering is Ordering.KEY and record.key is not None:
            if record.key in held.parked:
                held.parked[record.key].append(record)
                return
            held.parked[record.key] = deque()
        self._wait(record, held)

    def next(self) -> Arrival | None:
        """Return the record whose turn it is, in work from now on; None when none may go."""
        return self._queue.next()

    def done(self, record: InRecord, held: HeldPartition) -> None:
        """Let go of a record that was in work, finished or not."""
        self._queue.done(record.topic, record.tenant)
        self._let_go(record, held)

    def sweep(self) -> None:
        """Let go of what waits for its turn in partitions that are another worker's now."""
        for arrival in self._queue.sweep(lambda arrival: arrival.held.lost):
            self._let_go(arrival.record, arrival.held)

    def topics_with_room(self) -> list[str]:
        """Return the topics whose lanes may take more; one poll may overshoot a bound."""
        return [topic for topic, lane in self._lanes.items() if self._has_room(lane)]

    async def room(self) -> None:
        """Wait until a lane has room again."""
        self._room.clear()
        await self._room.wait()

    def _wait(self, record: InRecord, held: HeldPartition) -> None:
        # By its own age: what waited for its key, or came from another worker, would else begin anew behind
        # all others, for ever where workers come and go faster than the queue moves.
        self._queue.put(record.topic, record.tenant, Arrival(record, held), record.timestamp_ms or 0)

    def _let_go(self, record: InRecord, held: HeldPartition) -> None:
        self._forget(record)
        parked = held.parked.get(record.key or b"")
        if record.key is None or parked is None:
            return
        if parked and not held.closing.is_set():
            self._wait(parked.popleft(), held)
            return
        del held.parked[record.key]
        for waiting in parked:
            self._forget(waiting)

    def _forget(self, record: InRecord) -> None:
        lane = self._lanes[record.topic]
        lane.records -= 1
        lane.size -= record.size
        if self._has_room(lane):
            self._room.set()

    def _has_room(self, lane: _Lane) -> bool:
        return lane.records < self._settings.records_max and lane.size < self._settings.bytes_max
