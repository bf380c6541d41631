"""Lanes and tenants on a real broker: who floods waits for itself."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes.engine_stage import ControlledStage
from fixtures.broker import until
from fixtures.engine import EngineLine
from processors.disposition import RetryPolicy
from processors.gates import Gates
from schemas.base import Lane, Stage
from schemas.headers import TENANT
from schemas.scope import Scope, ScopeKind
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.gate import StageGate
from streams.engine.group import GroupSettings
from streams.engine.records import InRecord, OutRecord

pytestmark = pytest.mark.integration

CALL_S = 0.05


@dataclass
class Lanes:
    """Two lanes before one stage that notes whose call begins."""

    line: EngineLine
    gates: Gates = field(default_factory=Gates)
    begun: list[str] = field(default_factory=list)

    @property
    def topics(self) -> dict[str, Lane]:
        return {f"{self.line.topic}.{lane}": lane for lane in Lane}

    async def submit(self, lane: Lane, tenant: str, count: int) -> None:
        headers = ((TENANT, tenant.encode()),)
        topic = f"{self.line.topic}.{lane}"
        records = [OutRecord(topic=topic, key=None, value=b"v", headers=headers, partition=0)] * count
        await self.line.producer.send(records)

    async def join(self, **bounds: Any) -> StageConsumer:
        async def behave(record: InRecord) -> None:
            self.begun.append(f"{self.topics[record.topic]} {record.tenant}")
            await asyncio.sleep(CALL_S)

        line = self.line
        member = StageConsumer(
            GroupSettings(brokers=line.brokers, group=line.group, client_id="a", topics=tuple(self.topics)),
            ConsumerSettings(
                weights={topic: 9 if lane is Lane.LIVE else 1 for topic, lane in self.topics.items()},
                **bounds,
            ),
            ControlledStage("a", line.out, line.dead, behave),
            line.producer,
            policy=RetryPolicy(),
            on_share=lambda _: None,
            gate=StageGate(gates=self.gates, stage=Stage.GENERATE, lanes=self.topics),
        )
        line.members.append(member)
        await member.start()
        return member


@pytest.fixture
async def lanes(line: EngineLine) -> Lanes:
    made = Lanes(line)
    for topic in made.topics:
        await line.create(topic)
    return made


async def test_a_live_record_goes_before_a_full_bulk_lane(lanes: Lanes) -> None:
    await lanes.submit(Lane.BULK, "acme", 2000)
    await lanes.join(in_flight_max=10, look_ahead_max=100)
    await until(lambda: len(lanes.begun) >= 50)
    before = len(lanes.begun)

    await lanes.submit(Lane.LIVE, "acme", 50)

    await until(lambda: lanes.begun.count("live acme") == 50)
    passed = Counter(lanes.begun[before:])["bulk acme"]
    assert passed < 200  # of 1,900 and more that were there before


async def test_bulk_goes_on_beside_live_work_without_end(lanes: Lanes) -> None:
    await lanes.submit(Lane.LIVE, "acme", 1000)
    await lanes.submit(Lane.BULK, "acme", 1000)
    await lanes.join(in_flight_max=20)

    await until(lambda: len(lanes.begun) >= 600)

    both_waiting = Counter(lanes.begun[200:600])  # the first poll may bring one lane alone
    assert 20 <= both_waiting["bulk acme"] <= 80


async def test_a_flood_leaves_the_other_tenants_their_share(lanes: Lanes) -> None:
    await lanes.submit(Lane.BULK, "flood", 3000)
    await lanes.submit(Lane.BULK, "small", 100)
    await lanes.join(in_flight_max=20)

    await until(lambda: lanes.begun.count("bulk small") == 100)

    assert len(lanes.begun) < 100 + 20 + 2 * 100 + 500  # beside its own: a poll's worth came before


async def test_a_tenants_cap_holds_though_slots_are_free(lanes: Lanes) -> None:
    await lanes.submit(Lane.BULK, "acme", 40)
    member = await lanes.join(in_flight_max=20, tenant_in_flight_max=3)

    seen = 0
    while len(lanes.begun) < 40:
        health = member.health()
        seen = max(seen, health.in_flight - health.waiting.get("turn", 0))
        await asyncio.sleep(0.01)

    assert seen == 3


async def test_a_closed_tenant_waits_where_it_is_and_nothing_is_lost(lanes: Lanes) -> None:
    scope = Scope(ScopeKind.TENANT, "held")
    lanes.gates.close(scope, "operator", "audit")
    await lanes.submit(Lane.BULK, "held", 20)
    await lanes.submit(Lane.BULK, "free", 20)
    member = await lanes.join(in_flight_max=5)
    await until(lambda: lanes.begun.count("bulk free") == 20)
    await until(lambda: member.health().waiting == {"turn": 20})
    while_closed = lanes.begun.count("bulk held")

    lanes.gates.open(scope, "operator")

    await until(lambda: lanes.begun.count("bulk held") == 20)
    assert while_closed == 0
    await until(lambda: member.health().in_flight == 0)
