"""Readable English from facts: titles, headlines, descriptions, bodies; they state facts alone."""

import hashlib
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from streams.embedded.provider import phrases
from streams.embedded.provider.chance import Chance
from streams.embedded.provider.facts import Fact, by_identity, slugify

TITLE_CHARS = 60
SLUG_CHARS = 80
SLUG_HASH_CHARS = 8
DESCRIPTION_CHARS = 160
HEADLINE_CHARS = 90
SHORT_VALUE_CHARS = 60
JOINT_CHARS_MAX = 3  # of what joins two values in a title
BODY_SPREAD = (0.9, 1.3)  # so that bodies differ in length too
SLACK = 1.15  # above a body's lower bound, so that small edits do not break it
ROOM = 1.4  # above a lower bound, so that whole sentences reach it
STATED_VALUE_CHARS = 240  # longer values are cut: a sentence must stay readable
LABEL_ROOM_CHARS = 400  # a shorter body has no room for the label
SENTENCES_PER_PARAGRAPH_MIN = 3
SENTENCES_SPREAD = 3  # a paragraph has so many sentences more, less one, at most
SENTENCES_MAX = 20_000
DRAWS_FOR_NEW_SENTENCE_MAX = 8
DRAWS_FOR_FITTING_TEXT_MAX = 8


HAS_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Length of a text in characters; `high` is none where there is no upper bound."""

    low: int = 0
    high: int | None = None

    @property
    def top(self) -> int:
        """The upper bound as a number, also where there is none."""
        return sys.maxsize if self.high is None else self.high

    def aim(self, usual: int) -> "Bounds":
        """Return bounds that are both set: up to `usual`, with room above `low`, and never beyond `high`."""
        wanted = max(usual, int(self.low * ROOM) + 1)
        return Bounds(low=self.low, high=min(self.top, wanted))


class Prose:
    """Writes texts on one row; what it writes depends on the facts and the chance alone.

    Args:
        facts: What may be stated. May be empty: then the texts state nothing.
        chance: Which words are chosen.
        body_chars: Length of a body without bounds, in characters.

    Attributes:
        subject: The value that names the row, if it is short enough for a sentence.
    """

    def __init__(self, facts: Sequence[Fact], chance: Chance, body_chars: int) -> None:
        stated = Bounds(high=STATED_VALUE_CHARS)
        self._facts = tuple(Fact(name=fact.name, value=fit(fact.value, stated)) for fact in facts)
        self._identity = by_identity(self._facts)
        self._chance = chance
        self._body_chars = body_chars
        self._used: set[str] = set()
        self._told = self._identity[1:] or self._identity
        self._naming = tuple(_naming(fact) for fact in self._identity)
        name = self._identity[0].value if self._identity else ""
        self.subject = name if 0 < len(name) <= SHORT_VALUE_CHARS else None

    def title(self, bounds: Bounds) -> str:
        """Name the row by the values that tell it apart from others, as many as there is room for."""
        aimed = bounds.aim(TITLE_CHARS)
        parts = self._title_parts(aimed.top)
        if not parts:
            return fit(phrases.sentence_case(self._chance.pick(phrases.PLAIN_HEADLINES)), aimed)
        shape = self._chance.pick(phrases.TITLE_SHAPES)
        text = shape.format(first=parts[0], rest=", ".join(parts[1:])) if parts[1:] else parts[0]
        return fit(text, aimed)

    def slug(self, bounds: Bounds) -> str:
        """Name the row in a-z, 0-9 and single hyphens."""
        aimed = bounds.aim(SLUG_CHARS)
        high = aimed.top
        values = " ".join(self._title_parts(high))
        slug = slugify(values)
        if not slug:  # values in a script without Latin letters still need slugs that differ
            slug = "page-" + hashlib.sha256(values.encode()).hexdigest()[:SLUG_HASH_CHARS]
        if len(slug) > high:
            whole_words = slug[: high + 1].rpartition("-")[0]
            slug = (whole_words if len(whole_words) >= aimed.low else "") or slug[:high]
        missing = max(0, aimed.low - len(slug))
        return (slug + ("-overview" * missing)[:missing]).rstrip("-").ljust(aimed.low, "x")

    def headline(self, bounds: Bounds) -> str:
        """Say what a page or a section is about."""
        aimed = bounds.aim(HEADLINE_CHARS)
        others = self._identity[1:]
        if self.subject is None or not others:
            text = self._chance.pick(phrases.PLAIN_HEADLINES)
            return fit(f"{self.subject}: {text}" if self.subject else phrases.sentence_case(text), aimed)
        shape = self._chance.pick(phrases.HEADLINES)
        return fit(shape.format(subject=self.subject, label=self._chance.pick(others).label), aimed)

    def question(self, index: int, bounds: Bounds) -> str:
        """Ask for the fact at `index`, counted round."""
        label = self._facts[index % len(self._facts)].label if self._facts else "source"
        text = self._chance.pick(phrases.QUESTIONS).format(label=label)
        return fit(phrases.sentence_case(text), bounds.aim(len(text)))

    def keyword(self, index: int, bounds: Bounds) -> str:
        """Return the value of the fact at `index` if it is short, or else its label."""
        if not self._facts:
            text = self._chance.pick(phrases.PLAIN_HEADINGS)
        else:
            fact = self._facts[index % len(self._facts)]
            text = fact.value if len(fact.value) <= SHORT_VALUE_CHARS else fact.label
        return fit(text, bounds.aim(len(text)))

    def description(self, bounds: Bounds, about: int | None = None) -> str:
        """State some facts in whole sentences, the fact at `about` first if that is given."""
        aimed = bounds.aim(DESCRIPTION_CHARS)
        high = aimed.top
        fact = self._facts[about % len(self._facts)] if self._facts and about is not None else None
        text = ""
        for _ in range(DRAWS_FOR_FITTING_TEXT_MAX):
            text = self._run(high, fact)
            if bounds.low <= len(text) <= high:
                break
        return fit(text, aimed)

    def body(self, bounds: Bounds, *, markdown: bool) -> str:
        """Write paragraphs on the facts; the label that says they are simulated counts in the length."""
        usual = int(self._body_chars * self._chance.between(*BODY_SPREAD))
        aimed = bounds.aim(usual)
        high = aimed.top
        if high < LABEL_ROOM_CHARS:
            return self.description(Bounds(low=bounds.low, high=high))
        reserved = len(phrases.LABEL) + 2
        low = min(math.ceil(bounds.low * SLACK), high) - reserved
        text = self._paragraphs(high - reserved, markdown=markdown)
        return fit(text, Bounds(low=max(low, 0), high=high - reserved)) + "\n\n" + phrases.LABEL

    def _title_parts(self, high: int) -> list[str]:
        parts: list[str] = []
        room = high
        for naming in self._naming:
            text = naming if parts else fit(naming, Bounds(high=high))
            taken = len(text) + (JOINT_CHARS_MAX if parts else 0)
            if taken <= room and text not in parts:
                room -= taken
                parts.append(text)
        return parts

    def _run(self, high: int, fact: Fact | None) -> str:
        text = self._sentence(fact)
        for _ in range(SENTENCES_MAX):
            longer = f"{text} {self._sentence()}"
            if len(longer) > high:
                break
            text = longer
        return text

    def _paragraphs(self, high: int, *, markdown: bool) -> str:
        blocks = [""]
        room = high
        left = 0
        for _ in range(SENTENCES_MAX):
            if left == 0:
                left = SENTENCES_PER_PARAGRAPH_MIN + self._chance.below(SENTENCES_SPREAD)
                opening = self._opening(plain=left % 2 == 0 or not self._facts, markdown=markdown)
                sentence = opening + self._sentence()
                glue = "\n\n" if blocks[-1] else ""
            else:
                sentence = self._plain_sentence() if left == 1 else self._sentence()
                glue = " "
            if len(glue) + len(sentence) > room:
                break
            blocks.append(glue + sentence)
            room -= len(glue) + len(sentence)
            left -= 1
        return "".join(blocks)

    def _opening(self, *, plain: bool, markdown: bool) -> str:
        if not markdown:
            return ""
        if plain:
            text = self._chance.pick(phrases.PLAIN_HEADINGS)
        else:
            text = self._chance.pick(phrases.HEADINGS).format(label=self._chance.pick(self._facts).label)
        return f"## {phrases.sentence_case(text)}\n\n"

    def _sentence(self, fact: Fact | None = None) -> str:
        sentence = ""
        for _ in range(DRAWS_FOR_NEW_SENTENCE_MAX):
            sentence = self._draw(fact)
            if sentence not in self._used:
                break
        self._used.add(sentence)
        return sentence

    def _draw(self, fact: Fact | None) -> str:
        if not self._facts:
            return self._plain_sentence()
        # The name of the row stands in the openers already: "For Vienna, the city is Vienna" says nothing.
        chosen = fact or self._chance.pick(self._told)
        named = self.subject and chosen is not self._identity[0] and self._chance.below(3) == 0
        shape = self._chance.pick(phrases.SUBJECT_SENTENCES if named else phrases.SENTENCES)
        return shape.format(label=chosen.label, value=chosen.value, subject=self.subject)

    def _plain_sentence(self) -> str:
        return self._chance.pick(phrases.PLAIN_SENTENCES)


def fit(text: str, bounds: Bounds) -> str:
    """Cut `text` after a whole word, or lengthen it by plain words, so that it keeps `bounds`."""
    high = bounds.high
    if high is not None and len(text) > high:
        kept = text[: high + 1].rpartition(" ")[0].rstrip(" ,:;|\u2013-")
        text = kept or text[:high]
    if len(text) < bounds.low:
        text = _lengthen(text, bounds.low)
    return text if high is None else text[:high]


def _naming(fact: Fact) -> str:
    """Return the value alone if it says what it is; a bare number needs its label."""
    return fact.value if HAS_LETTER.search(fact.value) else f"{fact.label} {fact.value}"


def _lengthen(text: str, low: int) -> str:
    stop = "." if text.endswith(".") else ""
    text = text.removesuffix(".")
    missing = low - len(stop) - len(text)
    filler = phrases.FILLER * (missing // len(phrases.FILLER) + 2)
    return text + filler[: filler.index(" ", missing)] + stop
