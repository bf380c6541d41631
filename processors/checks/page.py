"""What a check looks at, prepared once for all checks of a page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from schemas.base import Severity
from schemas.events import MESSAGE_CHARS_MAX, Document, Finding

TEXT_CHARS_MAX = 200_000
"""Longest body that is looked at: about 30,000 words, ten times a long page. `size` refuses a longer one."""

FINDINGS_PER_CHECK_MAX = 20
EXCERPT_CHARS_MAX = 60
LABEL_CHARS_MAX = 200

LABEL = re.compile(r"\bsimulated\b", re.IGNORECASE)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,2000}(?:\s\"[^\"\n]{0,300}\")?\)")
BARE_URL = re.compile(r"\bhttps?://[^\s<>)\]]+")
EMPHASIS = re.compile(r"[*`]+|(?<![^\W_])_+|_+(?![^\W_])")  # not the one inside Mexico_City


@dataclass(frozen=True, slots=True, kw_only=True)
class PageUnderCheck:
    """A page and the row that it was made from.

    Attributes:
        document: the page.
        inputs: the row's values; what the page may claim.
        taken: for each of `slug` and `title` that another task of the site has, that task's id.
        prose: the body's visible text, at most TEXT_CHARS_MAX characters: no code blocks, link targets, marks
            of emphasis, or label of the simulated provider. Headings, list marks and tables keep their marks.
        code: the text inside fenced code blocks.
        fence_open: whether a code fence is opened and never closed.
    """

    document: Document
    inputs: Mapping[str, JsonValue]
    taken: Mapping[str, str]
    prose: str
    code: str
    fence_open: bool


def page_under_check(document: Document, inputs: Mapping[str, JsonValue]) -> PageUnderCheck:
    """Return the page, prepared, with no name taken; linear in the length of its body."""
    lines = document.body[:TEXT_CHARS_MAX].split("\n")
    prose, code, fence_open = _without_code(lines)
    if document.simulated:
        prose = [line for line in prose if not _is_label(line)]
    return PageUnderCheck(
        document=document,
        inputs=inputs,
        taken={},
        prose=_visible("\n".join(prose)),
        code="\n".join(code),
        fence_open=fence_open,
    )


def findings_of(check: str, seen: Iterable[tuple[Severity, str]]) -> tuple[Finding, ...]:
    """Return a finding for each pair of severity and message, at most FINDINGS_PER_CHECK_MAX."""
    return tuple(
        Finding(check=check, severity=severity, message=message[:MESSAGE_CHARS_MAX])
        for (severity, message), _ in zip(seen, range(FINDINGS_PER_CHECK_MAX), strict=False)
    )


def excerpt(text: str) -> str:
    """Return the text in quotes on one line, cut to EXCERPT_CHARS_MAX characters."""
    return repr(" ".join(text.split())[:EXCERPT_CHARS_MAX])


def _without_code(lines: Sequence[str]) -> tuple[list[str], list[str], bool]:
    """Part prose from fenced code. Source: https://spec.commonmark.org/0.31.2/#fenced-code-blocks."""
    prose: list[str] = []
    code: list[str] = []
    fence = ""
    for line in lines:
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            else:
                code.append(line)
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
        else:
            prose.append(line)
    return prose, code, bool(fence)


def _is_label(line: str) -> bool:
    """Whether the line is the one by which the simulated provider labels what it writes."""
    return len(line) <= LABEL_CHARS_MAX and LABEL.search(line) is not None


def _visible(markdown: str) -> str:
    return EMPHASIS.sub("", BARE_URL.sub(" ", LINK.sub(r"\1", markdown)))
