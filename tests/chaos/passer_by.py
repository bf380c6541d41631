"""A member that joins every group of the pipeline, takes nothing, and leaves: two rebalances each."""

import asyncio

from aiokafka import AIOKafkaConsumer

from streams.engine.assignor import LaneAssignor
from streams.pipeline import PIPELINE

JOIN_S_MAX = 15.0


async def pass_by(brokers: str, stay_s: float) -> None:
    """Join all groups, stay, leave.

    Args:
        brokers: bootstrap servers.
        stay_s: how long to stay, in seconds, once partitions were given to it or JOIN_S_MAX has passed.
    """
    members = [
        AIOKafkaConsumer(
            bootstrap_servers=brokers,
            group_id=spec.group,
            client_id="chaos-passer-by",
            enable_auto_commit=False,
            partition_assignment_strategy=(LaneAssignor(),),
        )
        for spec in PIPELINE.values()
    ]
    for member, spec in zip(members, PIPELINE.values(), strict=True):
        member.subscribe(topics=list(spec.topics))
    # Their start waits for the assignment, and that for every other member.
    starts = [asyncio.ensure_future(member.start()) for member in members]
    try:
        await asyncio.wait(starts, timeout=JOIN_S_MAX)
        await asyncio.sleep(stay_s)
    finally:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(member.stop() for member in members), return_exceptions=True)
