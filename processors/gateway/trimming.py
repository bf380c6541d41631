"""Parts of a prompt made shorter by rule: the same parts and the same room always give the same text."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from processors.prompt import SEPARATOR, PromptPart
from schemas.recipe import Trim

MARK: Final = "[...]"
"""Stands where something was cut out, so that model and reader see that the text is not whole."""
WORD_CHARS_MAX: Final = 60
"""How far back a cut goes for the end of a word; scripts without spaces are cut where they are."""

Count = Callable[[str], int]
"""Returns how many tokens a text has."""


def trimmed(parts: Sequence[PromptPart], over_tokens: int, count: Count) -> tuple[PromptPart, ...]:
    """Return each part within its own bound, and so many tokens less of all of them.

    The part of the lowest priority is made shorter, down to nothing, before the next one is touched; of equal
    ones the later comes first. Parts with trim `none` stay whole, so that less than was asked for may go.

    Args:
        parts: in the prompt's order.
        over_tokens: how many tokens too many they have within their own bounds; 0: none.
        count: counts tokens.
    """
    kept = [_within(part, part.tokens_max, count) for part in parts]
    for index in sorted(range(len(kept)), key=lambda index: (kept[index].priority, -index)):
        part = kept[index]
        if over_tokens > 0 and part.trim is not Trim.NONE and part.text:
            kept[index] = _within(part, count(part.text) - over_tokens, count)
            over_tokens -= _tokens(part, count) - _tokens(kept[index], count)
    return tuple(kept)


def _tokens(part: PromptPart, count: Count) -> int:
    return count(part.text) + count(SEPARATOR) if part.text else 0


def _within(part: PromptPart, tokens_max: int | None, count: Count) -> PromptPart:
    """Return the longest piece of the part that has that many tokens; no text where only the mark fits."""
    if tokens_max is None or count(part.text) <= tokens_max:
        return part
    if part.trim is Trim.DROP:
        return replace(part, text="")

    def tokens_of(chars: int) -> int:
        return count(_cut(part.text, chars, part.trim))

    # A cut at the end of a word makes this not quite monotonic; what is found was counted all the same.
    chars = bisect_right(range(len(part.text)), tokens_max, key=tokens_of) - 1
    return replace(part, text=_cut(part.text, max(chars, 0), part.trim))


def _cut(text: str, chars: int, trim: Trim) -> str:
    """Return `text` with about `chars` characters kept and the mark; nothing where nothing is kept."""
    if trim is Trim.TAIL:
        head, tail = _head(text, chars), ""
    elif trim is Trim.HEAD:
        head, tail = "", _tail(text, chars)
    else:
        head, tail = _head(text, chars - chars // 2), _tail(text, chars // 2)
    return " ".join(filter(None, (head, MARK, tail))) if head or tail else ""


def _head(text: str, chars: int) -> str:
    """Return the beginning, up to the end of a word if one is near."""
    cut = text[:chars]
    if chars < len(text) and not text[chars].isspace():
        last = max((cut.rfind(space, max(chars - WORD_CHARS_MAX, 0)) for space in " \n\t"), default=-1)
        cut = cut[:last] if last >= 0 else cut
    return cut.rstrip()


def _tail(text: str, chars: int) -> str:
    return _head(text[::-1], chars)[::-1]
