"""A step's prompt: a system message, and a user message that may be made of parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from schemas.recipe import Trim

SEPARATOR: Final = "\n\n"
"""Between two parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPart:
    """One part of a user message.

    Attributes:
        name: as errors, usage and metrics call it.
        text: not blank, without white space around it.
        priority: parts of a lower one are trimmed first.
        trim: what goes first where there is no room.
        tokens_max: most tokens of it, or None.
        stable: whether it is the same for every row.
    """

    name: str
    text: str
    priority: int = 0
    trim: Trim = Trim.NONE
    tokens_max: int | None = None
    stable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a step asks.

    Attributes:
        system: the system message, or None.
        user: the user message, nothing trimmed.
        parts: what it is made of, stable ones first; empty where it is one text.
    """

    system: str | None
    user: str
    parts: tuple[PromptPart, ...] = ()


def joined(parts: Sequence[PromptPart]) -> str:
    """Return the text of parts; one that was trimmed to nothing leaves no gap."""
    return SEPARATOR.join(part.text for part in parts if part.text)


def stable_chars(parts: Sequence[PromptPart]) -> int:
    """Return how many characters of the joined text stand in its stable parts, which come first."""
    return len(joined(tuple(takewhile(lambda part: part.stable, parts))))
