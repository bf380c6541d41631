"""A stage for the engine whose calls do, and last, what the test says."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from schemas.base import Stage
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Delivery, Failure, InRecord, OutRecord, Postponement
from streams.engine.tiers import Tier, tier_record

Place = tuple[int, int]
"""Partition and offset."""


async def succeed(_: InRecord) -> None:
    """The behaviour of a call that ends at once."""


class ControlledStage:
    """Sends each record's value on, marked with the member's name, once its call has ended.

    Args:
        name: the member's name, put before the value.
        out: topic of the results.
        dead: topic of the dead letters.
        behaviour: what a call does; it may wait or raise.
        tiers: where its records wait that leave their window.
    """

    def __init__(
        self,
        name: str,
        out: str,
        dead: str,
        behaviour: Callable[[InRecord], Awaitable[None]] = succeed,
        *,
        tiers: Sequence[Tier] = (),
    ) -> None:
        self.name = name
        self.behaviour = behaviour
        self.calls: list[Place] = []
        self.ended: set[Place] = set()
        self.done: list[str] = []
        self.now: set[Place] = set()
        self.at_once_max = 0
        self._out = out
        self._dead = dead
        self._tiers = tiers

    async def handle(self, record: InRecord, _delivery: Delivery) -> Sequence[OutRecord]:
        place = (record.partition, record.offset)
        self.calls.append(place)
        self.now.add(place)
        self.at_once_max = max(self.at_once_max, len(self.now))
        try:
            await self.behaviour(record)
        finally:
            self.now.discard(place)
        self.ended.add(place)
        self.done.append((record.value or b"").decode(errors="replace"))
        value = f"{self.name}:".encode() + (record.value or b"")
        return (OutRecord(topic=self._out, key=record.key, value=value),)

    def postpone(
        self, record: InRecord, postponement: Postponement, _delivery: Delivery
    ) -> Sequence[OutRecord]:
        return (tier_record(record, postponement, self._tiers),)

    def give_up(self, record: InRecord, failure: Failure, _delivery: Delivery) -> Sequence[OutRecord]:
        return (dead_letter(record, failure, stage=Stage.GENERATE, group="engine-test", topic=self._dead),)


class Gate:
    """A behaviour: calls wait until the gate is open."""

    def __init__(self) -> None:
        self._open = asyncio.Event()

    async def __call__(self, _: InRecord) -> None:
        await self._open.wait()

    def open(self) -> None:
        self._open.set()
