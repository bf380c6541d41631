"""Usage of embeddings, which have input only."""

from processors.gateway.counts import Kind, TokenCount, counted
from processors.gateway.formats.fields import count_at


def parse_usage(found: object) -> TokenCount | None:
    """Return the tokens of an embeddings answer of OpenAI's format, or None when `found` is no usage."""
    if not isinstance(found, dict) or "prompt_tokens" not in found:
        return None
    return counted({Kind.FRESH: count_at(found, "prompt_tokens")})
