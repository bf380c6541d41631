"""Who leads, who coordinates."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient


async def leader_of(brokers: str, topic: str, partition: int) -> int:
    """Return the index of the broker that leads the partition."""
    async with _admin(brokers) as admin:
        [described] = await admin.describe_topics([topic])
    return next(int(each["leader"]) for each in described["partitions"] if each["partition"] == partition)


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
