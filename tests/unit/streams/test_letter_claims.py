"""A dead letter by reference is, once redeemed, the letter that it stands for."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from fakes.claim_store import FakeClaimStore
from processors.disposition import GiveUp
from processors.errors import ClaimLostError, InvalidRecordError
from schemas.failures import FailureReason
from streams.dead_letters import DeadLetter, Position, parse
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Failure, InRecord, OutRecord
from streams.letter_claims import BESIDE_BYTES_MAX, letter_content, reference_letter, whole_letter

POSITION = Position("pressline.classify.dead.v1", 0, 3)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9)), max_size=4)
BYTES = st.none() | st.binary(max_size=20)


def a_letter(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> OutRecord:
    record = InRecord(topic="work", partition=0, offset=7, key=key, value=value, headers=tuple(headers))
    error = InvalidRecordError("not JSON")
    failure = Failure(error=error, disposition=GiveUp(FailureReason.INVALID_MESSAGE, retriable=False), at=NOW)
    return dead_letter(record, failure, stage="classify", group="g", topic=POSITION.topic)


def parsed(letter: OutRecord) -> DeadLetter:
    return parse(POSITION, letter.key, letter.value, letter.headers, NOW)


async def referring(letter: OutRecord, claims: FakeClaimStore) -> DeadLetter:
    return parsed(reference_letter(letter, await claims.put(letter_content(letter))))


@given(BYTES, BYTES, HEADERS)
def test_what_a_letter_refers_to_is_the_record_byte_for_byte(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    async def there_and_back() -> DeadLetter:
        claims = FakeClaimStore()
        return await whole_letter(await referring(letter, claims), claims)

    letter = a_letter(key, value, headers)

    assert asyncio.run(there_and_back()) == parsed(letter)


async def test_large_keys_and_headers_are_stored_only_and_come_back() -> None:
    claims, large = FakeClaimStore(), b"x" * (BESIDE_BYTES_MAX + 1)
    letter = a_letter(large, None, [("h", large)])

    reference = await referring(letter, claims)

    assert (reference.key, "h" in dict(reference.headers)) == (None, False)
    assert await whole_letter(reference, claims) == parsed(letter)


async def test_a_letter_that_refers_to_something_else_is_lost() -> None:
    claims, letter = FakeClaimStore(), a_letter(b"k", b"v", [])
    foreign = parsed(reference_letter(letter, await claims.put(b'{"key_base64": 1}')))
    broken = replace(foreign, value=b"no reference")

    with pytest.raises(ClaimLostError, match="no record"):
        await whole_letter(foreign, claims)
    with pytest.raises(ClaimLostError, match="no claim check"):
        await whole_letter(broken, claims)
