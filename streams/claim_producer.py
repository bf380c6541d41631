"""Sending with claim checks: what is too large to travel is stored first."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from processors.errors import EventTooLargeError
from schemas.claim_check import ClaimCheck
from schemas.codec import EVENT_BYTES_MAX, InvalidMessageError, decode, encode
from schemas.failures import DLQ_TOPIC
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE
from streams.claim_checks import ClaimStore, is_claim_check
from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord
from streams.letter_claims import letter_content, reference_letter

REFERENCED_BYTES_MIN = 65_536
"""What its topic refuses as too large is stored from this size on; a reference does not help smaller ones."""

log = logging.getLogger(__name__)


class ClaimCheckProducer(RecordProducer):
    """Sends as RecordProducer does; of what is too large it stores the value and sends a reference.

    Args:
        brokers: bootstrap servers, `host:port` joined by commas.
        client_id: name in the broker's logs.
        claims: where large values go.
        idempotent: whether the broker takes an idempotent producer.
    """

    def __init__(self, brokers: str, client_id: str, claims: ClaimStore, *, idempotent: bool = True) -> None:
        super().__init__(brokers, client_id, idempotent=idempotent)
        self._claims = claims

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Send and wait until the broker has acknowledged every record.

        Events go by reference from EVENT_BYTES_MAX on. Dead letters and anything else go as they are, and by
        reference when the broker refuses their size.

        Raises:
            EventTooLargeError: a record is larger than its topic takes, and a reference does not help.
            StoreUnavailableError: a value had to be stored, and the store is away.
            KafkaError: the broker did not take one; some of the others may be sent.
        """
        light = [await self._checked_in(record) for record in records]
        try:
            await super().send(light)
        except EventTooLargeError:
            await super().send([await self._by_reference(record) for record in light])

    async def _checked_in(self, record: OutRecord) -> OutRecord:
        if is_claim_check(record.headers):
            await _keep(self._claims, record)
            return record
        if _is_letter(record) or len(record.value or b"") <= EVENT_BYTES_MAX:
            return record
        return await self._by_reference(record)

    async def _by_reference(self, record: OutRecord) -> OutRecord:
        if _size(record) < REFERENCED_BYTES_MIN:
            return record
        if _is_letter(record):
            return reference_letter(record, await self._claims.put(letter_content(record)))
        if is_claim_check(record.headers) or record.value is None:
            return record
        check = await self._claims.put(record.value)
        headers = (*record.headers, (CLAIM_CHECK, CLAIM_CHECK_TYPE.encode()))
        return replace(record, value=encode(check), headers=headers)


async def _keep(claims: ClaimStore, record: OutRecord) -> None:
    """Whoever gets the record says what is wrong with it; it is only sent on here."""
    try:
        check = decode(record.value, ClaimCheck)
    except InvalidMessageError:
        return
    if not await claims.keep(check):
        log.warning("a claim check to %s is sent on, whose bytes are missing or damaged", record.topic)


def _is_letter(record: OutRecord) -> bool:
    return DLQ_TOPIC in dict(record.headers)


def _size(record: OutRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
