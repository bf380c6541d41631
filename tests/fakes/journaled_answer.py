"""An answer as the journal keeps it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from builders import a_usage
from processors.gateway.journal import JournaledAnswer


def a_journaled_answer(attempt: int = 1, **changes: Any) -> JournaledAnswer:
    fields: dict[str, Any] = {
        "attempt": attempt,
        "text": "{}",
        "finish_reason": "stop",
        "provider": "simulated",
        "model": "small-1",
        "simulated": True,
        "usage": a_usage(),
        "usage_estimated": False,
        "cost_usd": Decimal("0.00042"),
        "submission_id": "s",
        "latency_s": 1.25,
        "answered_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    }
    return JournaledAnswer(**{**fields, **changes})
