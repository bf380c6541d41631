"""A producer whose broker takes nothing."""

from collections.abc import Sequence

from aiokafka.errors import KafkaConnectionError

from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord


class DeafProducer(RecordProducer):
    """Connects to nothing; every send fails as if the broker were away."""

    def __init__(self) -> None:
        super().__init__("nowhere:9092", "deaf")

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Fail."""
        raise KafkaConnectionError(f"{len(records)} records, but the broker is away")
