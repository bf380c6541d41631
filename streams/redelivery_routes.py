"""Where a record of a tier goes next, and when: the whole rule, without Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from processors.disposition import GiveUp
from processors.errors import InvalidRecordError, ProcessingError
from schemas.headers import text_headers
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Attempts, Failure, InRecord, OutRecord
from streams.engine.tiers import Tier, not_before, origin_topic, tier_for
from streams.topics import REDELIVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The rule for records of these tiers.

    Attributes:
        tiers: the retry topics, the shortest first.
        origins: the topics that a record may return to. A name that nobody reads, or that is no topic, would
            lose the record or block those behind it.
        dead_topic: where a record goes whose headers are broken, or that its own topic does not take.
        group: consumer group of the redelivery, for the dead letter.
    """

    tiers: Sequence[Tier]
    origins: frozenset[str]
    dead_topic: str
    group: str

    def leaves_at(self, record: InRecord, entered: datetime, now: datetime) -> datetime:
        """Return when the record leaves its tier: when it is due, or has been there for the tier's length.

        Args:
            record: the head of a tier's partition.
            entered: when it was written there (aware).
            now: present time (aware).
        """
        [length_s] = [tier.length_s for tier in self.tiers if tier.topic == record.topic]
        try:
            due = self._due(record, now)
        except InvalidRecordError:
            return now
        return min(due, entered + timedelta(seconds=length_s))

    def next_of(self, record: InRecord, now: datetime) -> OutRecord:
        """Return what a record becomes that leaves its tier: key, value and headers are the same.

        A record that is not due yet goes through another tier. The key decides the partition: events of that
        key which are made today go there too.

        Raises:
            InvalidRecordError: its headers do not say where to, or when.
        """
        left_s = (self._due(record, now) - now).total_seconds()
        origin = origin_topic(text_headers(record.headers))
        topic = tier_for(left_s, self.tiers).topic if left_s > 0 else origin
        return OutRecord(topic=topic, key=record.key, value=record.value, headers=record.headers)

    def dead(self, record: InRecord, error: ProcessingError, now: datetime) -> OutRecord:
        """Return the dead letter of a record that cannot return because of `error`."""
        failure = Failure(
            error=error, disposition=GiveUp(error.reason, retriable=False), attempts=Attempts(), at=now
        )
        return dead_letter(record, failure, stage=REDELIVERY, group=self.group, topic=self.dead_topic)

    def _due(self, record: InRecord, now: datetime) -> datetime:
        headers = text_headers(record.headers)
        origin = origin_topic(headers)
        if origin not in self.origins:
            raise InvalidRecordError(f"the record is to return to {origin!r}, expected a topic of a stage")
        return not_before(headers, now)
