"""The key by which a provider sends requests that begin alike to the same prompt cache."""

import hashlib
from typing import Final

from processors.model import ModelRequest
from schemas.catalogue import ProviderRules

REQUESTS_PER_MINUTE: Final = 15
"""About what one key serves; more of them miss the cache, so that busy prompts take several keys.
Source: https://platform.openai.com/docs/guides/prompt-caching"""
KEYS_MAX: Final = 64
"""Most keys of one prompt: each of them has a cache to fill."""
KEY_CHARS: Final = 32


def prompt_cache_key(request: ModelRequest, provider: ProviderRules) -> str | None:
    """Return the key, or None for a provider that takes none.

    It is the same for all rows of a recipe's version and step, but that rows are spread evenly over as many
    keys as the provider's limit of requests may fill. A row keeps its key: its repair finds its own prompt.
    """
    if not provider.prompt_cache_key:
        return None
    busy = -(-(provider.limits.requests_per_minute or REQUESTS_PER_MINUTE) // REQUESTS_PER_MINUTE)
    share = int.from_bytes(hashlib.sha256(request.revision.encode()).digest()[:8]) % min(busy, KEYS_MAX)
    asked = f"{request.recipe}/{request.schema_name}/{share}"
    return hashlib.sha256(asked.encode()).hexdigest()[:KEY_CHARS]
