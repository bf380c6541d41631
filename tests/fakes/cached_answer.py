"""A cached answer and its question, with any field to vary."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from builders import a_usage
from processors.gateway.cached_answers import CachedAnswer, CacheKey

LONG_AGO = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)


def a_cache_key(digest: str = "0" * 64, **changes: Any) -> CacheKey:
    fields: dict[str, Any] = {"tenant": "acme", "recipe": "flight-route@0123456789ab", "step": "write"}
    return CacheKey(digest=digest, **{**fields, **changes})


def a_cached_answer(text: str = '{"a": 1}', **changes: Any) -> CachedAnswer:
    fields: dict[str, Any] = {
        "provider": "simulated",
        "model": "small-1",
        "response_model": "small-1-2026",
        "simulated": True,
        "usage": a_usage(input_cache_read=7, reasoning=3),
        "cost_usd": Decimal("0.00042"),
        "answered_at": LONG_AGO,
        "expires_at": FAR_OFF,
        "kept_until": FAR_OFF,
    }
    return CachedAnswer(text=text, **{**fields, **changes})
