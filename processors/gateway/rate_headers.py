"""What a provider's answer says about its limits. Pure: headers in, statements out.

OpenAI, and servers like it: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, the reset a duration
such as `6m0s`. Anthropic: `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-
{limit,remaining,reset}`, the reset an RFC 3339 time. Whatever else stands there is ignored: a header is a
hint, never a reason to fail a call that was answered.

Source: https://platform.openai.com/docs/guides/rate-limits and
https://docs.anthropic.com/en/api/rate-limits
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

COUNT = re.compile(r"[0-9]{1,12}")
DURATION = re.compile(
    r"(?=.)(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m(?!s))?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)ms)?"
)
SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
RESET_S_MAX = 3_600.0


class LimitKind(StrEnum):
    """What a limit counts, for each minute."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLimit:
    """What an answer says of one limit; None where it says nothing that can be understood.

    Attributes:
        kind: which limit.
        limit: units, at least 1.
        remaining: units that were left.
        reset_s: seconds until all units are there again, 0 to RESET_S_MAX.
    """

    kind: LimitKind
    limit: int | None
    remaining: int | None
    reset_s: float | None


def stated_limits(headers: Mapping[str, str], now: datetime) -> tuple[StatedLimit, ...]:
    """Return what the headers say, at most one statement for each kind.

    Args:
        headers: names in lower case.
        now: present time (aware), for resets that are times.
    """
    if not any("ratelimit" in name for name in headers):
        return ()  # many servers say nothing of limits, and this is asked for each answer
    return tuple(stated for kind in LimitKind if (stated := _stated(kind, headers, now)) is not None)


def _stated(kind: LimitKind, headers: Mapping[str, str], now: datetime) -> StatedLimit | None:
    name = kind.replace("_", "-")
    limit, remaining, reset = (
        headers.get(f"x-ratelimit-{part}-{name}") or headers.get(f"anthropic-ratelimit-{name}-{part}")
        for part in ("limit", "remaining", "reset")
    )
    if limit is None and remaining is None and reset is None:
        return None
    return StatedLimit(
        kind=kind, limit=_count(limit) or None, remaining=_count(remaining), reset_s=_reset_s(reset, now)
    )


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and COUNT.fullmatch(text) else None


def _reset_s(text: str | None, now: datetime) -> float | None:
    seconds = _seconds(text or "", now)
    return None if seconds is None else min(max(seconds, 0.0), RESET_S_MAX)


def _seconds(text: str, now: datetime) -> float | None:
    if SECONDS.fullmatch(text):
        return float(text)
    parts = DURATION.fullmatch(text)
    if parts is not None:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts.groups())
        return hours * 3_600 + minutes * 60 + seconds + milliseconds / 1_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
