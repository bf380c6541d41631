"""A producer without a broker."""

from collections.abc import Sequence

from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord


class FakeRecordProducer(RecordProducer):
    """Keeps what is sent; raises the errors that it is given first, one for each send.

    Args:
        errors: what the next sends raise.
    """

    def __init__(self, *errors: Exception) -> None:
        super().__init__("nowhere:9092", "fake")
        self.sent: list[OutRecord] = []
        self._errors = list(errors)

    async def send(self, records: Sequence[OutRecord]) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.sent += records
