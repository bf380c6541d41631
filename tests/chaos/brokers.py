"""Who leads, who coordinates."""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient

NO_LEADER = -1
"""What Kafka says while a partition's next leader is being chosen."""


async def leaders_of(brokers: str, topics: Collection[str]) -> Counter[int]:
    """Return how many partitions of the topics each broker leads, by its index."""
    async with _admin(brokers) as admin:
        described = await admin.describe_topics(list(topics))
    leaders = (int(partition["leader"]) for topic in described for partition in topic["partitions"])
    return Counter(leader for leader in leaders if leader != NO_LEADER)


async def coordinator_of(brokers: str, group: str) -> int:
    """Return the index of the broker that coordinates the group."""
    async with _admin(brokers) as admin:
        return int(await admin.find_coordinator(group))


@asynccontextmanager
async def _admin(brokers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
