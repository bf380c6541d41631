"""Tokens of one call as finely as prices tell them apart, and the normal form that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.usage import Usage

USAGE_FACTOR_MAX = 2
"""Servers count some framing beyond the asked maximum; twice as much output is not a count to believe."""


class Kind(StrEnum):
    """What a token was used for. No token is of two kinds."""

    FRESH = "fresh"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    CACHE_WRITE_1H = "cache_write_1h"
    OUTPUT = "output"
    REASONING = "reasoning"


class Modality(StrEnum):
    """What a token stands for. Pages of a document are read as images."""

    TEXT = "text"
    AUDIO = "audio"
    IMAGE = "image"
    VIDEO = "video"


TokenClass = tuple[Kind, Modality]

OUTPUTS = frozenset({Kind.OUTPUT, Kind.REASONING})


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of one call by class; the classes are disjoint, and what is absent is 0.

    Attributes:
        tokens: how many of each class, none below 0.
    """

    tokens: Mapping[TokenClass, int]

    @property
    def input(self) -> int:
        """All input tokens, of every class."""
        return sum(count for (kind, _), count in self.tokens.items() if kind not in OUTPUTS)

    @property
    def output(self) -> int:
        """All output tokens, reasoning included."""
        return sum(count for (kind, _), count in self.tokens.items() if kind in OUTPUTS)

    @property
    def usage(self) -> Usage:
        """The normal form: four input classes, and output with reasoning inside it."""
        of = dict.fromkeys(Kind, 0)
        for (kind, _), count in self.tokens.items():
            of[kind] += count
        text = self.tokens.get(_text(Kind.FRESH), 0)
        return Usage(
            input_fresh=text,
            input_cache_read=of[Kind.CACHE_READ],
            input_cache_write=of[Kind.CACHE_WRITE] + of[Kind.CACHE_WRITE_1H],
            input_other=of[Kind.FRESH] - text,
            output=of[Kind.OUTPUT] + of[Kind.REASONING],
            reasoning=of[Kind.REASONING],
        )


def of_text(input_tokens: int, output_tokens: int) -> TokenCount:
    """Return a count of plain text, as when it is our own."""
    return TokenCount({_text(Kind.FRESH): input_tokens, _text(Kind.OUTPUT): output_tokens})


def counted(tokens: Mapping[Kind, int], parts: Mapping[TokenClass, int] | None = None) -> TokenCount | None:
    """Return the count, or None when a part is larger than its whole or anything is below 0.

    Args:
        tokens: all tokens of each kind.
        parts: those of them that are not text.
    """
    rest = dict(tokens)
    for (kind, _), count in (parts or {}).items():
        rest[kind] -= count
    found = {**(parts or {}), **{_text(kind): count for kind, count in rest.items()}}
    return None if min(found.values(), default=0) < 0 else TokenCount(found)


def believable(count: TokenCount | None, context_tokens: int, output_tokens_max: int) -> TokenCount | None:
    """Return the count unless it cannot be that of an answered call.

    Args:
        count: as the provider told it, or None.
        context_tokens: the model's window; no prompt is larger.
        output_tokens_max: most tokens that the answer was allowed.
    """
    if count is None or not 0 < count.input <= context_tokens:
        return None
    return count if count.output <= USAGE_FACTOR_MAX * output_tokens_max else None


def _text(kind: Kind) -> TokenClass:
    return kind, Modality.TEXT
