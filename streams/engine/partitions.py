"""The partitions that a stage consumer holds, through rebalances."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from streams.engine import commit_metadata
from streams.engine.records import InRecord, Partition
from streams.engine.window import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What the broker knows of a partition at assignment.

    Attributes:
        offset: committed offset, or None when the group never committed.
        metadata: text of the commit.
        beginning: the log's first offset.
        end: the log's next offset.
    """

    offset: int | None
    metadata: str
    beginning: int
    end: int


@dataclass(slots=True, eq=False, kw_only=True)
class HeldPartition:
    """One partition while this worker holds it, and its calls in flight afterwards.

    Attributes:
        window: its progress.
        committed: the offset that the broker last acknowledged, and its metadata.
        lost: another worker may own it: nothing is sent or committed for it any more.
        closing: set when waits (for a retry, a key, a turn) must end: it is lost or the worker drains.
        parked: in key order, records that wait for an earlier one of their key, by key.
        dirty: whether the window moved since the last commit.
        paused: whether fetching is paused because the window is full.
    """

    window: Window
    committed: tuple[int, str] | None
    lost: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    parked: dict[bytes, deque[InRecord]] = field(default_factory=dict)
    dirty: bool = False
    paused: bool = False

    def progress(self, metadata_bytes_max: int) -> tuple[int, str]:
        """Return offset and metadata to commit now."""
        offset = self.window.lowest_unfinished
        return offset, commit_metadata.encode(offset, self.window.finished_above, metadata_bytes_max)

    def lose(self) -> None:
        """Another worker may own it from now on."""
        self.lost = True
        self.closing.set()


class HeldPartitions:
    """All partitions of one consumer: held now, or suspended between a revoke and the next assignment.

    Attributes:
        generation: the group's generation of the last assignment, -1 before the first.
    """

    def __init__(self) -> None:
        self._held: dict[Partition, HeldPartition] = {}
        self._suspended: dict[Partition, HeldPartition] = {}
        self.generation = -1

    def __len__(self) -> int:
        return len(self._held)

    def get(self, partition: Partition) -> HeldPartition | None:
        """Return the partition if it is held now."""
        return self._held.get(partition)

    def items(self) -> Iterator[tuple[Partition, HeldPartition]]:
        """Iterate over the partitions that are held now."""
        return iter(tuple(self._held.items()))

    def begin_anew(self, partition: Partition, offset: int) -> HeldPartition:
        """Hold `partition` from `offset` on, in a new life; what is in flight of the old one ends unheard."""
        self._held[partition] = HeldPartition(window=Window(offset), committed=None, dirty=True)
        return self._held[partition]

    def revoke(self) -> Mapping[Partition, HeldPartition]:
        """Suspend everything: take nothing more, let calls in flight run on. Return what to commit."""
        self._suspended.update(self._held)
        self._held = {}
        return self._suspended

    def assign(self, committed: Mapping[Partition, Committed], generation: int) -> None:
        """Take over an assignment.

        A partition that comes straight back keeps its window and its calls: the generation grew by exactly
        one, so nobody held it in between, and what is committed is what we committed, metadata included: an
        assignment can take so long that others have held it since. Any other is rebuilt from the broker's
        metadata, and calls in flight of its earlier life are lost to us.

        Args:
            committed: the assigned partitions with what the broker knows of them.
            generation: the group's generation of this assignment.
        """
        straight_back = generation == self.generation + 1
        for partition, state in committed.items():
            held = self._suspended.pop(partition, None)
            if held is not None and not (straight_back and _unchanged(held, state)):
                held.lose()
                held = None
            self._held[partition] = held or _rebuild(partition, state)
        self.give_up()
        self.generation = generation

    def give_up(self) -> None:
        """What is suspended goes to others for good."""
        for held in self._suspended.values():
            held.lose()
        self._suspended = {}

    def close(self) -> None:
        """End all waits; records that waited stay unfinished."""
        for held in (*self._held.values(), *self._suspended.values()):
            held.closing.set()


def _unchanged(held: HeldPartition, state: Committed) -> bool:
    committed = None if state.offset is None else (state.offset, state.metadata)
    return not held.lost and held.committed == committed


def _rebuild(partition: Partition, state: Committed) -> HeldPartition:
    if state.offset is None:
        return HeldPartition(window=Window(state.beginning), committed=None)
    if not state.beginning <= state.offset <= state.end:
        log.warning(
            "%s-%d: committed offset %d is outside of the log (%d to %d); starting from its beginning",
            *partition,
            state.offset,
            state.beginning,
            state.end,
        )
        return HeldPartition(window=Window(state.beginning), committed=None)
    finished = commit_metadata.decode(state.offset, state.metadata)
    return HeldPartition(
        window=Window(state.offset, finished), committed=(state.offset, state.metadata), dirty=False
    )
