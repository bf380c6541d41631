"""What a check looks at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_document
from processors.checks import PageUnderCheck, page_under_check
from processors.checks.page import FINDINGS_PER_CHECK_MAX, TEXT_CHARS_MAX, findings_of
from schemas.base import Severity


def prepared(body: str, *, simulated: bool = False) -> PageUnderCheck:
    return page_under_check(a_document(body=body, simulated=simulated), {})


def test_fenced_code_is_apart_from_prose() -> None:
    page = prepared("Before\n\n```python\nx = {y}\n```\nAfter")

    assert page.prose == "Before\n\nAfter"
    assert page.code == "x = {y}"
    assert not page.fence_open


@pytest.mark.parametrize(
    "body", ["```\nx", "~~~\nx\n```", "````\nx\n```", "text\n```json\n{}\n``` no\n", "```\na\n```\n```"]
)
def test_a_fence_that_is_never_closed_is_seen(body: str) -> None:
    assert prepared(body).fence_open


@pytest.mark.parametrize("body", ["```\nx\n````\n", "~~~ a`b\nx\n~~~", "use ``` inline", "```inline``` text"])
def test_a_closed_fence_or_inline_code_is_no_open_fence(body: str) -> None:
    assert not prepared(body).fence_open


def test_link_targets_and_emphasis_are_not_visible_text() -> None:
    page = prepared('See [the **map**](https://a.example/99 "Map 7") and https://b.example/88 now.')

    assert page.prose == "See the map and   now."


def test_an_underscore_inside_a_word_is_no_emphasis() -> None:
    assert prepared("_In_ __time__ zone America/Mexico_City").prose == "In time zone America/Mexico_City"


def test_the_label_of_the_simulated_provider_is_left_out_of_simulated_pages_only() -> None:
    body = "Text.\n\n*Simulated text: written by Pressline's simulated provider.*"

    assert prepared(body, simulated=True).prose == "Text.\n"
    assert "Simulated" in prepared(body).prose


def test_a_long_paragraph_is_no_label_though_it_says_simulated() -> None:
    body = "A simulated flight. " * 20

    assert prepared(body, simulated=True).prose == body


def test_a_body_is_looked_at_up_to_its_bound() -> None:
    assert len(prepared("a" * (TEXT_CHARS_MAX + 5)).prose) == TEXT_CHARS_MAX


def test_a_check_returns_a_bounded_number_of_findings_of_bounded_length() -> None:
    findings = findings_of("length", [(Severity.WARN, "x" * 900)] * 500)

    assert len(findings) == FINDINGS_PER_CHECK_MAX
    assert len(findings[0].message) == 500


@given(st.text(alphabet=st.sampled_from("`~ \na[]()*_#1.x"), max_size=300))
def test_any_body_can_be_prepared(body: str) -> None:
    page = prepared(body)

    assert len(page.prose) + len(page.code) <= len(body)
