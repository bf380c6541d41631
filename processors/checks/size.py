"""The body is short enough to be checked at all."""

from processors.checks.page import TEXT_CHARS_MAX, PageUnderCheck, findings_of
from schemas.base import Message, Severity
from schemas.events import Finding

NAME = "size"


class Settings(Message):
    """Nothing to set: what is longer would be published partly unchecked."""


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:  # noqa: ARG001 - one shape for all
    """Return an error when the body is longer than TEXT_CHARS_MAX characters."""
    chars = len(page.document.body)
    if chars <= TEXT_CHARS_MAX:
        return ()
    message = f"the body has {chars} characters, at most {TEXT_CHARS_MAX} are checked and published"
    return findings_of(NAME, [(Severity.ERROR, message)])
