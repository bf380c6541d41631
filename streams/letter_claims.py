"""Dead letters that are too large for their topic: the record is stored, the letter refers to it."""

import base64
from dataclasses import replace

import orjson

from processors.errors import ClaimLostError
from schemas.claim_check import ClaimCheck
from schemas.codec import InvalidMessageError, decode, encode
from schemas.failures import DLQ_CLAIM, DLQ_PREFIX
from schemas.headers import CLAIM_CHECK_TYPE
from streams.claim_checks import ClaimStore, redeem
from streams.dead_letters import DeadLetter
from streams.engine.records import OutRecord

BESIDE_BYTES_MAX = 16_384
"""A key, or headers together, of at most so many bytes stand in the letter too, where people look first."""


def letter_content(letter: OutRecord) -> bytes:
    """Return what is stored of a dead letter: key, value and headers of the record, as base64 in JSON."""
    kept = [(name, value) for name, value in letter.headers if not name.startswith(DLQ_PREFIX)]
    return orjson.dumps(
        {
            "key_base64": _text(letter.key),
            "value_base64": _text(letter.value),
            "headers_base64": [[name, _text(value)] for name, value in kept],
        }
    )


def reference_letter(letter: OutRecord, check: ClaimCheck) -> OutRecord:
    """Return the dead letter that refers to what is stored; reason and origin stay in its headers."""
    ours = [(name, value) for name, value in letter.headers if name.startswith(DLQ_PREFIX)]
    kept = [(name, value) for name, value in letter.headers if not name.startswith(DLQ_PREFIX)]
    small = sum(len(name) + len(value or b"") for name, value in kept) <= BESIDE_BYTES_MAX
    return replace(
        letter,
        key=letter.key if len(letter.key or b"") <= BESIDE_BYTES_MAX else None,
        value=encode(check),
        headers=(*(kept if small else ()), *ours, (DLQ_CLAIM, CLAIM_CHECK_TYPE.encode())),
    )


async def whole_letter(letter: DeadLetter, claims: ClaimStore) -> DeadLetter:
    """Return the letter with the key, value and headers that its record had.

    Raises:
        ClaimLostError: it refers to a record that is missing or damaged.
        StoreUnavailableError: the store is away.
    """
    if not letter.refers:
        return letter
    try:
        check = decode(letter.value, ClaimCheck)
    except InvalidMessageError as error:
        raise ClaimLostError(f"the value is no claim check: {error}") from error
    return _restored(letter, await redeem(claims, check))


def _restored(letter: DeadLetter, content: bytes) -> DeadLetter:
    ours = [(n, v) for n, v in letter.headers if n.startswith(DLQ_PREFIX) and n != DLQ_CLAIM]
    try:
        record = orjson.loads(content)
        key, value = _bytes(record["key_base64"]), _bytes(record["value_base64"])
        kept = [(str(name), _bytes(text)) for name, text in record["headers_base64"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ClaimLostError("the bytes that the letter refers to are no record") from error
    return replace(letter, key=key, value=value, headers=(*kept, *ours))


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
