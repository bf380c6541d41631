"""What is too large to travel is stored, and a reference is sent."""

from dataclasses import replace

import pytest

from builders import NOW
from fakes.claim_store import FakeClaimStore
from fakes.kafka_client import FakeKafkaClient
from processors.disposition import GiveUp
from processors.errors import EventTooLargeError, InvalidRecordError, StoreUnavailableError
from schemas.claim_check import ClaimCheck
from schemas.codec import EVENT_BYTES_MAX, decode, encode
from schemas.failures import DLQ_CLAIM, DLQ_OFFSET, FailureReason
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE, text_headers
from streams.claim_producer import ClaimCheckProducer
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Failure, InRecord, OutRecord

LARGE = b"x" * (EVENT_BYTES_MAX + 1)
EVENT = OutRecord(topic="work", key=b"k", value=LARGE, headers=(("ce_id", b"1"),))
RECORD = InRecord(topic="work", partition=0, offset=7, key=b"k", value=LARGE, headers=(("x", b"\xff"),))


def a_letter(record: InRecord = RECORD) -> OutRecord:
    error = InvalidRecordError("not JSON")
    failure = Failure(error=error, disposition=GiveUp(FailureReason.INVALID_MESSAGE, retriable=False), at=NOW)
    return dead_letter(record, failure, stage="classify", group="g", topic="dead")


async def sent(
    *records: OutRecord, claims: FakeClaimStore, bytes_max: int = 10 * EVENT_BYTES_MAX
) -> list[OutRecord]:
    producer = ClaimCheckProducer("nowhere:9092", "test", claims)
    client = FakeKafkaClient({"work": bytes_max, "dead": bytes_max})
    producer._producer = client
    await producer.send(records)
    return [
        OutRecord(topic=r["topic"], key=r["key"], value=r["value"], headers=r["headers"])
        for r in client.taken
    ]


async def test_a_large_event_is_stored_and_a_reference_travels() -> None:
    claims = FakeClaimStore()

    [out] = await sent(EVENT, claims=claims)

    check = decode(out.value, ClaimCheck)
    assert await claims.get(check) == LARGE
    assert (out.key, list(out.headers)) == (b"k", [("ce_id", b"1"), (CLAIM_CHECK, CLAIM_CHECK_TYPE.encode())])


async def test_what_fits_travels_as_it_is() -> None:
    claims, small = FakeClaimStore(), replace(EVENT, value=LARGE[1:])

    [out] = await sent(small, claims=claims)

    assert (out.value, list(out.headers), claims.content) == (small.value, list(small.headers), {})


async def test_a_reference_that_is_sent_on_is_kept_longer() -> None:
    claims = FakeClaimStore(kept_s=60.0)
    check = await claims.put(LARGE)
    claims.now_s = 59.0

    await sent(
        replace(EVENT, value=encode(check), headers=((CLAIM_CHECK, CLAIM_CHECK_TYPE.encode()),)),
        claims=claims,
    )

    assert claims.expires_s[check.sha256] == 119.0


async def test_a_dead_letter_that_fits_is_untouched_though_it_is_large() -> None:
    claims, letter = FakeClaimStore(), a_letter()

    [out] = await sent(letter, claims=claims)

    assert (out.value, list(out.headers), claims.content) == (LARGE, list(letter.headers), {})


async def test_a_dead_letter_that_is_refused_refers_to_the_record_and_keeps_its_reason() -> None:
    claims = FakeClaimStore()

    [out] = await sent(a_letter(), claims=claims, bytes_max=EVENT_BYTES_MAX)

    headers = text_headers(out.headers)
    assert await claims.get(decode(out.value, ClaimCheck)) is not None
    assert (headers[DLQ_CLAIM], headers[DLQ_OFFSET], out.key) == (CLAIM_CHECK_TYPE, "7", b"k")


async def test_a_dead_letter_whose_key_is_too_large_refers_to_it_too() -> None:
    claims = FakeClaimStore()

    [out] = await sent(a_letter(replace(RECORD, key=LARGE, value=None)), claims=claims, bytes_max=10_000)

    assert (out.key, len(claims.content)) == (None, 1)


async def test_what_no_reference_makes_smaller_is_refused() -> None:
    with pytest.raises(EventTooLargeError):
        await sent(replace(EVENT, value=b"x" * 1000), claims=FakeClaimStore(), bytes_max=10)


async def test_nothing_is_sent_while_the_store_is_away() -> None:
    claims = FakeClaimStore()
    claims.error = StoreUnavailableError("away")

    with pytest.raises(StoreUnavailableError):
        await sent(EVENT, claims=claims)
