"""Nothing of the machine is left on the page: no empty slot, no talk of the model, no broken mark-up."""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from processors.checks.page import PageUnderCheck, excerpt, findings_of
from schemas.base import Message, Severity
from schemas.events import Finding

NAME = "leftovers"

Kind = Literal["assistant", "template", "placeholder", "undefined", "nan", "lorem-ipsum", "fence"]

PATTERNS = MappingProxyType(
    {
        # "As an AI engineer" is an honest phrase on a page about jobs: only the model speaks as these.
        "assistant": re.compile(
            r"\bas an ai(?:,| i\b| (?:language )?(?:model|assistant|system|chatbot)\b)"
            r"|\bas an ai (?:developed|trained|created)\b"
            r"|\bi(?: am|['\u2019]m) sorry, but i can(?:not|['\u2019]t)\b"
            r"|\bi can(?:not|['\u2019]t) (?:fulfill?|assist with|help with) (?:this|that|your) request\b",
            re.IGNORECASE,
        ),
        "template": re.compile(r"\{\{|\}\}|\{%|%\}|\{ ?[A-Za-z][A-Za-z0-9_.-]{0,60} ?\}"),
        "placeholder": re.compile(
            r"\[(?:insert\b|(?:your|placeholder|todo|tbd)\b[^\]\[\n]{0,80}\])", re.IGNORECASE
        ),
        "undefined": re.compile(r"\bundefined\b|\[object Object\]"),
        "nan": re.compile(r"\bNaN\b"),
        "lorem-ipsum": re.compile(r"\blorem ipsum\b", re.IGNORECASE),
    }
)


class Settings(Message):
    """What is no leftover on pages of this kind; a page on mathematics may well say `undefined`.

    The list is common practice of content teams, seen on published pages, not taken from a standard.
    """

    allowed: tuple[Kind, ...] = Field((), description="Kinds that are not looked for.")


def check(page: PageUnderCheck, settings: Settings) -> tuple[Finding, ...]:
    """Return an error for each kind of leftover in title, description and body, code blocks left out."""
    return findings_of(NAME, _seen(page, settings))


def _seen(page: PageUnderCheck, settings: Settings) -> Iterator[tuple[Severity, str]]:
    places = {"title": page.document.title, "description": page.document.description, "body": page.prose}
    for kind, pattern in PATTERNS.items():
        if kind in settings.allowed:
            continue
        for place, text in places.items():
            if found := pattern.search(text):
                yield Severity.ERROR, f"the {place} holds {excerpt(found.group())}, a leftover ({kind})"
    if page.fence_open and "fence" not in settings.allowed:
        yield Severity.ERROR, "the body opens a code fence and never closes it (fence)"
