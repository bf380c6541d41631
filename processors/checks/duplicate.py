"""Slug and title are the page's own over the whole site."""

from processors.checks.page import PageUnderCheck, excerpt, findings_of
from schemas.base import Message, Severity
from schemas.events import Finding

NAME = "duplicate"


class Settings(Message):
    """Nothing to set: a name is taken or it is not."""


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:  # noqa: ARG001 - one shape for all
    """Return an error for each of slug and title that another task has, as `page.taken` says."""
    texts = {"slug": page.document.slug, "title": page.document.title}
    return findings_of(
        NAME,
        [
            (
                Severity.ERROR,
                f"the {field} {excerpt(text)} is that of task {page.taken[field]!r}, expected an own one",
            )
            for field, text in texts.items()
            if field in page.taken
        ],
    )
