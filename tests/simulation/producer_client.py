"""aiokafka's producer as `RecordProducer` uses it, on the simulated brokers: idempotent, acks of all."""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, NotLeaderForPartitionError

from .broker import Broker, Cause
from .loop import PROCESS
from .network import Link

FLUSH_S_MAX = 35.0


class SimulatedProducer:
    """One producer.

    A request whose answer was swallowed fails after the client's whole timeout, though the record is in the
    log: the client cannot know.

    Args:
        broker: the cluster.
        settings: aiokafka's.
        on_send: told of each send when it begins, in the task that sends; says in whose processing.
    """

    def __init__(
        self, broker: Broker, settings: Mapping[str, Any], on_send: Callable[[], Cause | None]
    ) -> None:
        process = PROCESS.get()
        assert process is not None
        self._broker = broker
        self._on_send = on_send
        self._link = Link(
            network=broker.network,
            process=process,
            part="brokers",
            broken=KafkaConnectionError,
            late=KafkaTimeoutError,
            timeout_s=settings["request_timeout_ms"] / 1000,
            refused=(NotLeaderForPartitionError, KafkaTimeoutError),
        )
        self._pending: dict[asyncio.Task[Any], None] = {}

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Wait for what is on its way."""
        if self._pending:
            await asyncio.wait(list(self._pending), timeout=FLUSH_S_MAX)

    async def partitions_for(self, topic: str) -> set[int]:
        return {number for name, number in self._broker.logs if name == topic}

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        **_settings: Any,
    ) -> "asyncio.Task[Any]":
        """Queue; the task that is returned is the acknowledgement."""
        cause = self._on_send()
        number = zlib.crc32(key or b"") % self._broker.partitions if partition is None else partition
        place = (topic, number)
        append = lambda: self._broker.append(place, key, value, tuple(headers), cause)  # noqa: E731 - one expression
        queued = asyncio.get_running_loop().create_task(self._link.request(append))
        self._pending[queued] = None
        queued.add_done_callback(self._forget)
        return queued

    def _forget(self, queued: "asyncio.Task[Any]") -> None:
        self._pending.pop(queued, None)
        if not queued.cancelled():
            queued.exception()  # heard by whoever awaits it; nobody may
