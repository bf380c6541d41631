"""The body has neither too few nor too many words."""

import re

from pydantic import Field

from processors.checks.page import PageUnderCheck, findings_of
from schemas.base import Message, Severity
from schemas.events import Finding

NAME = "length"
WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


class Settings(Message):
    """Bounds on the number of words.

    The default of 300 is what site auditors call thin (Screaming Frog, pseolint); it is their convention, no
    limit of any search engine, and writing to a word count is advised against. So it warns, and there is no
    upper bound unless the recipe sets one.
    Source: https://developers.google.com/search/docs/fundamentals/creating-helpful-content
    """

    words_min: int = Field(300, ge=0, description="Fewest words of the body, code not counted.")
    words_max: int | None = Field(None, ge=1, description="Most words; None: no bound.")


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:
    """Return a warning when the body's count of words, split at white space and marks, is out of bounds."""
    words = sum(1 for _ in WORD.finditer(page.prose))
    if words < settings.words_min:
        message = f"the body has {words} words, expected at least {settings.words_min}"
    elif settings.words_max is not None and words > settings.words_max:
        message = f"the body has {words} words, expected at most {settings.words_max}"
    else:
        return ()
    return findings_of(NAME, [(Severity.WARN, message)])
