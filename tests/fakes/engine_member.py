"""A member of a group as a process of its own, to be killed: `… engine_member BROKERS IN OUT GROUP`.

A record whose value begins with `slow` is worked on for a minute, any other ends at once.
"""

import asyncio
import sys

from fakes.engine_stage import ControlledStage
from processors.disposition import RetryPolicy
from streams.engine.consumer import ConsumerSettings, StageConsumer
from streams.engine.group import GroupSettings
from streams.engine.producer import RecordProducer
from streams.engine.records import InRecord

SLOW_S = 60.0


async def behave(record: InRecord) -> None:
    if (record.value or b"").startswith(b"slow"):
        await asyncio.sleep(SLOW_S)


async def main(brokers: str, topic: str, out: str, group: str) -> None:
    producer = RecordProducer(brokers, "member")
    await producer.start()
    consumer = StageConsumer(
        GroupSettings(
            brokers=brokers, group=group, client_id="killed", topics=(topic,), session_timeout_s=3.0
        ),
        ConsumerSettings(commit_interval_s=0.2),
        ControlledStage("killed", out, out, behave),
        producer,
        policy=RetryPolicy(),
        on_share=lambda _: None,
    )
    await consumer.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
