"""Every name on the page comes from the row."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from pydantic import Field

from processors.checks.page import PageUnderCheck, excerpt, findings_of
from processors.checks.row import leaves
from schemas.base import Message, Severity
from schemas.events import Finding

NAME = "grounded-names"
NOT_SENTENCES = re.compile(r"^[ \t>]*(?:#|\|).*$", re.MULTILINE)
SENTENCE_END = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019)\]]*\s|\n")
TOKEN = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
WORD = re.compile(r"[^\W_]+")
POSSESSIVE = ("'s", "\u2019s")
STEM_CHARS_MIN = 4
ENDING_CHARS_MAX = 3
SHORT_CHARS = 1
QUOTES = ('"', "'", "\u201c", "\u2018")

ALLOWED = frozenset(
    {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
    | {"january", "february", "march", "april", "may", "june", "july", "august", "september", "october"}
    | {"november", "december", "am", "pm", "utc", "gmt", "faq", "usa", "us", "uk", "eu"}
    | {"english", "internet", "mr", "mrs", "ms", "dr"}
)
"""Capitalised in English whatever the page is about."""


class Settings(Message):
    """Which names need no source.

    A name is told by its capital letter, which is a heuristic for languages like English, not for German. So
    it warns, and it stays silent where capitals have other causes.
    """

    allowed: tuple[str, ...] = Field((), description="Names that need no source, such as the brand's.")


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:
    """Return a warning for each run of capitalised words of description and body that is not in the inputs.

    Not looked at: title, headings, tables, first words of sentences, list items and quotations, months and
    days, single letters, words that the page also writes in lower case. A word of the row counts with endings
    of up to ENDING_CHARS_MAX letters more or less (Parisian, German for Germany), and without its accents.
    """
    return findings_of(NAME, _seen(page, settings))


def _seen(page: PageUnderCheck, settings: Settings) -> Iterator[tuple[Severity, str]]:
    text = NOT_SENTENCES.sub("\n", f"{page.document.description}\n{page.prose}")
    known = _stems([*map(str, leaves(page.inputs)), *settings.allowed])
    lower = {word for word in TOKEN.findall(text) if word[0].islower()}
    seen: set[str] = set()
    for name in _names(text):
        unknown = [word for word in name if word.lower() not in lower and not _known(word, known)]
        if unknown and name[0] not in seen:
            seen.update(name)
            yield Severity.WARN, f"the name {excerpt(' '.join(name))} is in no value of the row"


def _names(text: str) -> Iterator[tuple[str, ...]]:
    """Yield each run of neighbouring capitalised words, first words of sentences left out."""
    for sentence in SENTENCE_END.split(text):
        run: list[str] = []
        end = -1
        for place, found in enumerate(TOKEN.finditer(sentence)):
            quoted = sentence[found.start() - 1 : found.start()] in QUOTES
            capital = found.group()[0].isupper() and place > 0 and not quoted
            if run and (not capital or found.start() > end + 1):
                yield tuple(run)
                run = []
            if capital:
                run.append(found.group())
            end = found.end()
        if run:
            yield tuple(run)


def _known(token: str, known: frozenset[str]) -> bool:
    if token.endswith(POSSESSIVE):
        token = token[:-2]
    return all(_word_known(word, known) for word in WORD.findall(_folded(token)))


def _word_known(word: str, known: frozenset[str]) -> bool:
    if len(word) <= SHORT_CHARS or word in ALLOWED or word in known or word.isdigit():
        return True
    return any(stem in known for stem in _shorter(word))


def _stems(texts: Iterable[str]) -> frozenset[str]:
    words = {word for text in texts for word in WORD.findall(_folded(text))}
    return frozenset(words.union(*map(_shorter, words)))


def _shorter(word: str) -> tuple[str, ...]:
    """The word without its last letters, as far as it stays long enough to mean the same."""
    shortest = max(STEM_CHARS_MIN, len(word) - ENDING_CHARS_MAX)
    return tuple(word[:chars] for chars in range(shortest, len(word)))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).lower()
