"""A reference is checked before anything is loaded for it, and what it brings is verified."""

import asyncio
from collections.abc import Sequence

import pytest

from fakes.claim_store import FakeClaimStore
from processors.errors import ClaimLostError, InvalidRecordError, StoreUnavailableError
from schemas.claim_check import ClaimCheck
from schemas.codec import CLAIMED_BYTES_MAX, encode
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE
from streams import claim_checks
from streams.claim_checks import claim_of, keep_swept, redeem

HEADERS = ((CLAIM_CHECK, CLAIM_CHECK_TYPE.encode()),)
CHECK = ClaimCheck.of(b"the event")
Headers = Sequence[tuple[str, bytes | None]]


def test_a_reference_is_told_by_its_header_alone() -> None:
    assert claim_of(HEADERS, encode(CHECK)) == CHECK
    assert claim_of((), encode(CHECK)) is None


@pytest.mark.parametrize(
    ("headers", "value", "why"),
    [
        (((CLAIM_CHECK, b"another.v9"),), encode(CHECK), "expected 'pressline.claim.v1'"),
        (HEADERS, None, "no claim check"),
        (HEADERS, b'{"sha256":"../../etc","size_bytes":1}', "no claim check"),
        (HEADERS, encode(CHECK.model_copy(update={"size_bytes": CLAIMED_BYTES_MAX + 1})), "at most"),
    ],
)
def test_a_reference_that_is_none_is_an_invalid_record(
    headers: Headers, value: bytes | None, why: str
) -> None:
    with pytest.raises(InvalidRecordError, match=why):
        claim_of(headers, value)


async def test_bytes_that_are_missing_or_others_are_lost() -> None:
    claims = FakeClaimStore()
    with pytest.raises(ClaimLostError, match="never stored"):
        await redeem(claims, CHECK)

    claims.content[CHECK.sha256] = b"THE EVENT"

    with pytest.raises(ClaimLostError, match="damaged"):
        await redeem(claims, CHECK)


async def test_expired_values_are_swept_again_and_again_also_after_the_store_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Store(FakeClaimStore):
        sweeps = 0

        async def sweep(self) -> int:
            self.sweeps += 1
            if self.sweeps == 1:
                raise StoreUnavailableError("away")
            if self.sweeps == 3:
                running.cancel()
            return 0

    monkeypatch.setattr(claim_checks, "SWEEP_S", 0)
    store = Store()
    running = asyncio.create_task(keep_swept(store))

    with pytest.raises(asyncio.CancelledError):
        await running

    assert store.sweeps == 3
