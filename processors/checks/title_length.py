"""The title is of a usual length."""

from pydantic import Field

from processors.checks.page import PageUnderCheck, findings_of
from schemas.base import Message, Severity
from schemas.events import Finding

NAME = "title-length"


class Settings(Message):
    """Bounds on the title's length.

    They are folklore. Search engines set no limit, they only cut what they show:
    https://developers.google.com/search/docs/appearance/title-link. So a long title informs; a very short one
    warns, because an empty slot of a template is its usual cause.
    """

    chars_min: int = Field(10, ge=1, description="Fewest characters.")
    chars_max: int = Field(70, ge=1, description="Most characters that a results page usually shows.")


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:
    """Return a warning for a title that is too short, a piece of information for one that is too long."""
    chars = len(page.document.title.strip())
    if chars < settings.chars_min:
        message = f"the title has {chars} characters, expected at least {settings.chars_min}"
        return findings_of(NAME, [(Severity.WARN, message)])
    if chars > settings.chars_max:
        message = f"the title has {chars} characters, more than {settings.chars_max} are often cut"
        return findings_of(NAME, [(Severity.INFO, message)])
    return ()
