"""A redelivery as a process of its own that never commits: `… BROKERS GROUP ORIGIN DEAD TIER=SECONDS…`."""

import asyncio
import sys
from typing import Any

from fakes.claim_store import FakeClaimStore
from streams.engine.producer import RecordProducer
from streams.engine.tiers import Tier
from streams.redelivery import Redelivery
from streams.redelivery_routes import Routes

SESSION_S = 3.0


class NeverCommits(Redelivery):
    """Is where a crash between the acknowledgement and the commit finds it."""

    async def _commit(self, held: Any) -> None:
        if held.sent:
            await asyncio.Event().wait()


async def main(brokers: str, group: str, origin: str, dead_topic: str, *tiers: str) -> None:
    producer = RecordProducer(brokers, "member")
    await producer.start()
    named = (tier.split("=") for tier in tiers)
    routes = Routes(
        tiers=[Tier(topic=topic, length_s=float(length_s)) for topic, length_s in named],
        origins=frozenset({origin}),
        dead_topic=dead_topic,
        group=group,
    )
    member = NeverCommits(
        brokers,
        "killed",
        routes,
        producer,
        FakeClaimStore(),
        session_timeout_s=SESSION_S,
        on_sent=lambda _: None,
    )
    await member.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
