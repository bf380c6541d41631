"""The client below a RecordProducer, without a broker."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError


class FakeKafkaClient:
    """Acknowledges records up to the size that their topic takes; refuses larger ones.

    Args:
        bytes_max: largest value by topic; topics without one take any.
    """

    def __init__(self, bytes_max: Mapping[str, int]) -> None:
        self.taken: list[dict[str, Any]] = []
        self._bytes_max = bytes_max

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    async def send(self, topic: str, **record: Any) -> asyncio.Future[object]:
        size = len(record["value"] or b"") + len(record["key"] or b"")
        if size > self._bytes_max.get(topic, size):
            raise MessageSizeTooLargeError(f"{size} bytes")
        acknowledged: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        self.taken.append({"topic": topic, **record})
        return acknowledged
