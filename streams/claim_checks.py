"""Claim Check: events that are too large to travel are stored, and a reference travels in their place."""

import asyncio
import hashlib
import logging
from typing import Protocol

from processors.errors import ClaimLostError, InvalidRecordError, StoreUnavailableError
from schemas.claim_check import ClaimCheck
from schemas.codec import CLAIMED_BYTES_MAX, InvalidMessageError, decode
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE, RawHeaders, text_headers

SWEEP_S = 600.0

log = logging.getLogger(__name__)


class ClaimStore(Protocol):
    """Where the values are that were too large."""

    async def put(self, content: bytes) -> ClaimCheck:
        """Store `content` and return the reference; the same bytes twice are stored once.

        Raises:
            StoreUnavailableError: the store is away.
        """

    async def get(self, check: ClaimCheck) -> bytes | None:
        """Return what is stored, not verified; None without bytes of that name and size.

        Raises:
            StoreUnavailableError: the store is away.
        """

    async def keep(self, check: ClaimCheck) -> bool:
        """Begin anew the time that the bytes are kept; return whether they are there, undamaged.

        Raises:
            StoreUnavailableError: the store is away.
        """

    async def sweep(self) -> int:
        """Delete a bounded number of values whose time is over; return how many.

        Raises:
            StoreUnavailableError: the store is away.
        """


async def redeem(claims: ClaimStore, check: ClaimCheck) -> bytes:
    """Return the bytes that a reference stands for, verified.

    Raises:
        ClaimLostError: they are not there, or are others.
        StoreUnavailableError: the store is away.
    """
    content = await claims.get(check)
    if content is None:
        raise ClaimLostError(
            f"no {check.size_bytes} bytes are stored under {check.sha256[:12]}, expected those of the claim"
            " check: were they never stored, or deleted from claim_checks?"
        )
    if hashlib.sha256(content).hexdigest() != check.sha256:
        raise ClaimLostError(f"the bytes under {check.sha256[:12]} have another sha256: they are damaged")
    return content


def claim_of(headers: RawHeaders, value: bytes | None) -> ClaimCheck | None:
    """Return the reference that a record carries in place of an event, or None.

    Raises:
        InvalidRecordError: the value is no reference, or one to more than CLAIMED_BYTES_MAX bytes.
    """
    named = [pair for pair in headers if pair[0] == CLAIM_CHECK]
    if not named:
        return None
    kind = text_headers(named)[CLAIM_CHECK]
    if kind != CLAIM_CHECK_TYPE:
        raise InvalidRecordError(f"header {CLAIM_CHECK} is {kind[:50]!r}, expected {CLAIM_CHECK_TYPE!r}")
    try:
        check = decode(value, ClaimCheck)
    except InvalidMessageError as error:
        raise InvalidRecordError(f"the value is no claim check: {error}") from error
    if check.size_bytes > CLAIMED_BYTES_MAX:
        raise InvalidRecordError(
            f"the event has {check.size_bytes} bytes, at most {CLAIMED_BYTES_MAX} are allowed"
        )
    return check


def is_claim_check(headers: RawHeaders) -> bool:
    """Whether the value is, or was, a reference and not the event itself."""
    return CLAIM_CHECK in dict(headers)


async def keep_swept(claims: ClaimStore) -> None:
    """Delete values whose time is over, every SWEEP_S seconds, until cancelled."""
    while True:  # ends by cancellation only: the worker's life is its bound
        await asyncio.sleep(SWEEP_S)
        try:
            await claims.sweep()
        except StoreUnavailableError as error:
            log.warning("expired values of claim checks could not be deleted, will try again: %s", error)
