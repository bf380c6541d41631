"""Bytes to message and back, with a limit on everything that a sender controls."""

import json
from collections.abc import Iterable
from types import NoneType
from typing import TypeVar

import jiter
import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

EVENT_BYTES_MAX = 1_048_576
"""Largest value of a record. A larger event travels as a claim check."""
CLAIMED_BYTES_MAX = 16 * 1_048_576
"""Largest event of all; many times this is needed to work on it."""
DEPTH_MAX = 64
ERRORS_SHOWN_MAX = 5
SCALARS = frozenset({str, int, bool, NoneType})
FIXED_POINT_MIN, FIXED_POINT_END = 1e-4, 1e16
"""Floats from the one and below the other have no exponent, which is what libraries write differently."""

M = TypeVar("M", bound=BaseModel)


class InvalidMessageError(ValueError):
    """The bytes are not a message of the expected type. Its text never quotes the content."""


def encode(message: BaseModel, bytes_max: int = EVENT_BYTES_MAX) -> bytes:
    """Return the message as compact JSON in UTF-8.

    Raises:
        InvalidMessageError: the message is larger than `bytes_max`.
    """
    value = _json(message)
    if len(value) > bytes_max:
        raise InvalidMessageError(
            f"{type(message).__name__} has {len(value)} bytes, at most {bytes_max} are allowed"
        )
    return value


def decode(value: bytes | None, expected: type[M], bytes_max: int = EVENT_BYTES_MAX) -> M:
    """Return the message that `value` holds.

    Args:
        value: JSON in UTF-8, at most DEPTH_MAX levels deep, without duplicate keys, NaN or infinities; None
            for a tombstone.
        expected: the type that the topic carries.
        bytes_max: most bytes of `value`.

    Raises:
        InvalidMessageError: any of that does not hold, or a field is missing, unknown or of another type.
    """
    if value is None:
        raise InvalidMessageError(f"the value is null, expected {expected.__name__}")
    _check_size(value, bytes_max)
    checked = _may_be_deep(value)
    if checked:
        check_json(value, bytes_max)
    try:
        message = expected.model_validate_json(value)
    except ValidationError as error:
        check_json(value, bytes_max)
        raise InvalidMessageError(f"not a {expected.__name__}: {_summary(error)}") from None
    # What comes out again byte for byte, as all that we encoded does, had no key twice and no NaN.
    if not checked and _json(message) != value:
        check_json(value, bytes_max)
    return message


def check_json(value: bytes, bytes_max: int = EVENT_BYTES_MAX) -> None:
    """Check the limits that hold for every JSON value, whatever its type.

    Raises:
        InvalidMessageError: too large, too deep, not JSON, a duplicate key, NaN or an infinity.
    """
    _check_size(value, bytes_max)
    try:
        # jiter refuses what orjson and pydantic read silently: the last of two equal keys wins there.
        parsed = jiter.from_json(value, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise InvalidMessageError(f"the value is not JSON: {str(error)[:200]}") from None
    if _may_be_deep(value) and _deeper_than(parsed, DEPTH_MAX):
        raise InvalidMessageError(f"the value is nested deeper than {DEPTH_MAX} levels")


def canonical(value: object) -> bytes:
    """Return `value` as JSON with sorted keys: equal values have equal bytes, however large an integer.

    Kept identities depend on these bytes. They are the standard library's; of what `_is_plain`, orjson makes
    the same ones in a tenth of the time.
    """
    try:
        quick = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if _is_plain(value) else None
    except TypeError:  # an integer of more than 64 bits, or a key that is no text
        quick = None
    return quick or json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _json(message: BaseModel) -> bytes:
    return to_json(message, by_alias=False, inf_nan_mode="null")


def _check_size(value: bytes, bytes_max: int) -> None:
    if len(value) > bytes_max:
        raise InvalidMessageError(f"the value has {len(value)} bytes, at most {bytes_max} are allowed")


def _may_be_deep(value: bytes) -> bool:
    """Whether the bytes have enough brackets, those in texts counted too."""
    return value.count(b"{") + value.count(b"[") > DEPTH_MAX


def _is_plain(value: object) -> bool:
    """Whether both write it alike: they differ on exponents, on NaN, and on what JSON has no type for."""
    children: Iterable[object]
    if isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    elif isinstance(value, float):
        return value == 0 or FIXED_POINT_MIN <= abs(value) < FIXED_POINT_END
    else:
        return type(value) in SCALARS
    return all(map(_is_plain, [child for child in children if type(child) not in SCALARS]))


def _deeper_than(value: object, levels: int) -> bool:
    level: list[object] = [value]
    for _ in range(levels):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return [child for child in node.values() if isinstance(child, dict | list)]
    if isinstance(node, list):
        return [child for child in node if isinstance(child, dict | list)]
    return []


def _summary(error: ValidationError) -> str:
    """Where and what, without the offending input: it may be a prompt or a secret."""
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in errors[:ERRORS_SHOWN_MAX]]
    more = len(errors) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
