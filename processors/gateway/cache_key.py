"""Which questions are the same: those whose keys are."""

import hashlib
from dataclasses import asdict, fields

from processors.gateway.cached_answers import CacheKey
from processors.model import ModelRequest
from schemas.catalogue import ProviderRules
from schemas.codec import canonical

ASKERS = frozenset(
    {
        "task",
        "revision",
        "budget_usd",
        "cheaper",
        "cache_ttl",
        "cache",
        "prompt_cache_key",
        "reasoning_in_tokens",
        "hedge_after_s",
        "abandoned",
        "tell",
    }
)
"""Fields of a request that say who asks, who pays and how it is made. All others are part of the key: one
that somebody adds makes answers be shared too seldom, never wrongly."""


def cache_key(request: ModelRequest, provider: ProviderRules) -> CacheKey:
    """Return the question's key.

    Facts of a row are words of its prompt, so two rows with other facts have other keys. Tenants share
    nothing, nor do the simulated provider and the one that it stands for.

    Args:
        request: the question.
        provider: who would answer.
    """
    names = {field.name for field in fields(request)} - ASKERS
    whole = {
        **{name: getattr(request, name) for name in names},
        "tenant": request.task.tenant,
        "provider": (provider.name, provider.simulated),
        "messages": [asdict(message) for message in request.messages],
        "tools": [asdict(tool) for tool in request.tools],
    }
    return CacheKey(
        digest=hashlib.sha256(canonical(whole)).hexdigest(),
        tenant=request.task.tenant,
        recipe=request.recipe,
        step=request.step,
    )
