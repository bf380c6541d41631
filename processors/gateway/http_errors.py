"""What an HTTP status that is not 200 means, whatever the wire format."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from processors.errors import (
    ProcessingError,
    ProviderGaveUpError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnauthorizedError,
    ProviderUnavailableError,
)
from processors.gateway.wire import WireAnswer

RETRY_AFTER_S_MAX = 7 * 86_400.0
"""Longer than any wait that is obeyed: such a record is given up, not tried too early."""
TOO_MANY_REQUESTS = 429
PAYMENT_REQUIRED = 402
UNAUTHORIZED_STATUS = frozenset({401, 403})
TRANSIENT_STATUS = frozenset({408, 409, 425})
SERVER_ERROR = 500

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_too_low",
        "insufficient_balance_error",
    }
)
"""The last one is MiniMax's, with status 429. Source: https://github.com/modelscope/modelscope/issues/1691"""
KEY_CODES = frozenset({"API_KEY_INVALID"})
"""Gemini's, with status 400. Source: https://github.com/google-gemini/gemini-cli/issues/25198"""
MAYBE_BILLED_STATUS = frozenset({408, 502, 504})
"""A gateway on the way gave up; the model behind it may have answered."""

CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


def http_error(
    provider: str, answer: WireAnswer, codes: tuple[str | None, ...], now: datetime
) -> ProcessingError:
    """Return what went wrong.

    Args:
        provider: name in the catalogue.
        answer: the answer; its status is not 200.
        codes: the provider's error type, code and reason. The message is left out: it may quote the prompt.
        now: present time (aware), for a `retry-after` that is a date.
    """
    shown = ", ".join(code for code in codes if code and CODE.fullmatch(code)) or "no error code"
    message = f"{provider} answered {answer.status} ({shown}), expected 200"
    if answer.status == PAYMENT_REQUIRED or not QUOTA_CODES.isdisjoint(codes):
        return ProviderQuotaError(f"{message}; add credit to the account")
    if not _transient(answer):
        return _final(message, answer.status, codes)
    after_s = retry_after_s(answer.headers, now)
    if answer.status == TOO_MANY_REQUESTS:
        return ProviderRateLimitedError(message, retry_after_s=after_s)
    billed = answer.status in MAYBE_BILLED_STATUS
    return ProviderUnavailableError(message, retry_after_s=after_s, billed=billed)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long the provider asks to wait, in seconds from 0 to RETRY_AFTER_S_MAX, or None.

    The order is `retry-after-ms`, then `retry-after` as seconds, then as an HTTP date.
    Source: https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1_000)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    return _until(text, now)


def _transient(answer: WireAnswer) -> bool:
    # The header is the provider's own judgement and stands above the status.
    asked = answer.headers.get("x-should-retry")
    return asked == "true" if asked in {"true", "false"} else _own_fault(answer.status)


def _own_fault(status: int) -> bool:
    return status == TOO_MANY_REQUESTS or status in TRANSIENT_STATUS or status >= SERVER_ERROR


def _final(message: str, status: int, codes: tuple[str | None, ...]) -> ProcessingError:
    if _own_fault(status):
        return ProviderGaveUpError(f"{message}; it asks not to be asked again")
    unauthorized = status in UNAUTHORIZED_STATUS or not KEY_CODES.isdisjoint(codes)
    kind = ProviderUnauthorizedError if unauthorized else ProviderRejectedError
    return kind(f"{message}; check key, model name and request")


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _until(text: str | None, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _bounded((aware - now).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)
