"""Answers that are given to others: when one may be, and how the journal books it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from processors.gateway.cached_answers import CachedAnswer
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer
from processors.gateway.kept import kept_text
from processors.model import ModelAnswer, ModelRequest
from schemas.usage import CacheResult, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An answer as it is given to others.

    Attributes:
        answer: what was bought.
        result: whether it is fresh (`hit`) or `stale`.
        degraded_by: what is told of a stale one, or None.
    """

    answer: CachedAnswer
    result: CacheResult
    degraded_by: str | None = None


def adoption(
    request: ModelRequest, key: CallKey, served: Served, now: datetime
) -> tuple[CallIntent, JournaledAnswer]:
    """Return the call and its answer as the journal books them: no tokens, no price."""
    cached = served.answer
    intent = CallIntent(
        key=key,
        task=request.task,
        recipe=request.recipe,
        provider=cached.provider,
        model=cached.model,
        simulated=cached.simulated,
        cost_max_usd=Decimal(0),
        degraded_by=served.degraded_by,
    )
    given = JournaledAnswer(
        attempt=1,
        text=cached.text,
        finish_reason="stop",
        provider=cached.provider,
        model=cached.model,
        simulated=cached.simulated,
        usage=Usage(),
        usage_estimated=False,
        cost_usd=Decimal(0),
        submission_id=request.task.submission_id,
        latency_s=0.0,
        answered_at=now,
        degraded_by=served.degraded_by,
        response_model=cached.response_model,
        cache=served.result,
        saved_usd=cached.cost_usd,
    )
    return intent, given


def shareable(request: ModelRequest, answer: ModelAnswer) -> Served | None:
    """Return the answer for others, if it is whole, valid and of the model that was asked."""
    recorded, use = answer.recorded, request.cache
    stale = recorded.cache is CacheResult.STALE
    as_asked = recorded.model == request.model and recorded.degraded_by is None
    if use is None or recorded.cache is None or not (stale or as_asked):
        return None
    if answer.finish_reason != "stop" or not use.accepts(answer.text):
        return None
    fresh_until = recorded.recorded_at + timedelta(seconds=use.ttl_s)
    cached = CachedAnswer(
        text=kept_text(request, answer),
        provider=recorded.provider,
        model=recorded.model,
        response_model=answer.response_model,
        simulated=recorded.simulated,
        usage=recorded.usage,
        cost_usd=recorded.cost_usd + recorded.saved_usd,
        answered_at=recorded.recorded_at,
        expires_at=fresh_until,
        kept_until=fresh_until + timedelta(seconds=use.stale_s),
    )
    result = CacheResult.STALE if stale else CacheResult.HIT
    return Served(answer=cached, result=result, degraded_by=recorded.degraded_by)
