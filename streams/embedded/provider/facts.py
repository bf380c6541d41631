"""Finding the facts of a row in a conversation: lines `- name: value`, best between FACTS and END FACTS."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from streams.embedded.provider.chance import Chance
from streams.embedded.provider.phrases import INVENTED_NAMES
from streams.embedded.provider.wire import Message, Role

FACTS_MAX = 200
WORDS_CACHED_MAX = 4_096
VALUE_CHARS_MAX = 2_000
BLOCK_START = "FACTS"
BLOCK_END = "END FACTS"
FACT_LINE = re.compile(r"^\s*-\s+([^:\n]{1,100}?)\s*:\s*(.*?)\s*$")
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
QUOTES = ('"', "'", "`")
NAME_WORDS = frozenset({"name", "title", "product", "headword", "term", "subject", "place", "city", "topic"})
ID_WORDS = frozenset({"id", "sku", "code", "key", "ean", "isbn", "number"})
INVENTED_DIGITS_MAX = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that is known of a row.

    Args:
        name: As the prompt names it.
        value: Its value as text, never empty.

    Attributes:
        label: The name as words of a sentence.
    """

    name: str
    value: str
    label: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", " ".join(words_of(self.name)) or "value")

    @property
    def number(self) -> float | None:
        """The first number within the value, if there is one."""
        found = NUMBER.search(self.value)
        return float(found.group().replace(",", "")) if found else None


def read_facts(messages: Sequence[Message]) -> tuple[Fact, ...]:
    """Return the facts that a conversation gives, in their order, at most `FACTS_MAX`.

    The last block counts, wherever it stands: the message that asks for a repair often comes after it and
    repeats nothing. Without a block, the first message of the user that has fact lines counts, as the lines
    of later ones may be error lists.
    """
    texts = [message.text for message in messages if message.role is Role.USER]
    for text in reversed(texts):
        lines = _block(text)
        if lines is not None:
            return _distinct(_facts(lines))
    for text in texts:
        facts = _distinct(_facts(text.splitlines()))
        if facts:
            return facts
    return ()


def by_identity(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Return the facts with those first that tell rows apart: names, then identifiers, then the others."""
    return tuple(sorted(facts, key=_identity_rank))


def invent(facts: Sequence[Fact], chance: Chance) -> tuple[Fact, ...]:
    """Return facts with the same names and values that nobody gave, for an answer that is not grounded."""
    names = [fact.name for fact in facts] or ["name", "founded", "visitors"]
    return tuple(Fact(name=name, value=_invented(chance)) for name in names)


@lru_cache(maxsize=WORDS_CACHED_MAX)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of an identifier (`openingHours`, `opening_hours`, `opening-hours`) in lower case."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return tuple(re.sub(r"[\W_]+", " ", spaced).lower().split())


def slugify(text: str) -> str:
    """Return `text` as a slug of a-z, 0-9 and single hyphens; empty if it holds none of these."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _block(text: str) -> list[str] | None:
    lines = text.splitlines()
    marks = [line.strip() for line in lines]
    if BLOCK_START not in marks:
        return None
    start = len(marks) - 1 - marks[::-1].index(BLOCK_START)
    end = marks.index(BLOCK_END, start) if BLOCK_END in marks[start:] else len(lines)
    return lines[start + 1 : end]


def _facts(lines: Sequence[str]) -> Iterator[Fact]:
    for line in lines:
        found = FACT_LINE.match(line)
        if found is None:
            continue
        value = _unquoted(found.group(2))[:VALUE_CHARS_MAX].rstrip(" .")
        if value:
            yield Fact(name=found.group(1), value=value)


def _distinct(facts: Iterator[Fact]) -> tuple[Fact, ...]:
    named: dict[str, Fact] = {}
    for fact in facts:
        if len(named) == FACTS_MAX:
            break
        named.setdefault(fact.name, fact)
    return tuple(named.values())


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES:
        return value[1:-1].strip()
    return value


def _identity_rank(fact: Fact) -> int:
    words = frozenset(words_of(fact.name))
    if words & NAME_WORDS:
        return 0
    return 1 if words & ID_WORDS else 2


def _invented(chance: Chance) -> str:
    name = f"{chance.pick(INVENTED_NAMES)} {chance.pick(INVENTED_NAMES)}"
    return f"{name} {1_000 + chance.below(INVENTED_DIGITS_MAX)}"
