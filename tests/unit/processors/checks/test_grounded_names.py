"""Which names a row covers."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import INPUTS, a_document
from processors.checks import grounded_names, page_under_check
from schemas.base import Severity
from schemas.events import Finding


def check(
    body: str, *, inputs: Mapping[str, Any] = INPUTS, description: str = "", **settings: Any
) -> tuple[Finding, ...]:
    page = page_under_check(a_document(description=description, body=body), inputs)
    return grounded_names.check(page, grounded_names.Settings(**settings))


@pytest.mark.parametrize(
    "body",
    [
        "Fly from Paris to Rome with Air France or Alitalia.",
        "The Parisian way; we left Paris's airport; the Italian capital from CDG to FCO.",
        "Most flights leave on Monday in November at noon UTC.",
        "## What Travellers Should Know\n\nNothing to add.",
        "| Carrier | Marlowe |\n|---|---|\n| Zendaria | x |",
        "- Window seats\n- Aisle seats\n\n1. Book early",
        'They say "Never fly" often. (Yes.) Really: Nobody knows. Is it? Perhaps.',
        "Why I like it: because I do, and because I can.",
        "Some like flights. There are Flights to all places.",
        "He took **Air France** twice.",
        "It was plan B or C.",
    ],
)
def test_names_of_the_row_and_capitals_with_other_causes_pass(body: str) -> None:
    assert check(body) == ()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("Visit the Louvre Museum before you go.", "Louvre Museum"),
        ("You can fly with Lufthansa too.", "Lufthansa"),
        ("Fly with **Marlowe Air**, then rest.", "Marlowe Air"),
        ("A city like Z\u00fcrich is far.", "Z\u00fcrich"),
    ],
)
def test_another_name_warns(body: str, name: str) -> None:
    findings = check(body)

    assert [found.severity for found in findings] == [Severity.WARN]
    assert name in findings[0].message


def test_the_description_is_looked_at() -> None:
    assert check("Nothing.", description="All about Berlin") != ()


def test_a_name_may_stand_in_the_row_with_other_separators() -> None:
    assert check("The zone is America/Mexico_City.", inputs={"zone": "America/Mexico_City"}) == ()
    assert check("It lies near Mexico City.", inputs={"zone": "America/Mexico_City"}) == ()


def test_accents_do_not_matter() -> None:
    assert check("We fly to Zurich and to S\u00e3o Paulo.", inputs={"to": ["Z\u00fcrich", "Sao Paulo"]}) == ()


def test_the_recipe_allows_names_of_its_own() -> None:
    assert check("Written by Pressline today.", allowed=("Pressline",)) == ()


def test_a_name_is_reported_once() -> None:
    assert len(check("We like Lufthansa. They like Lufthansa.")) == 1


@pytest.mark.parametrize("text", ["A " * 50_000, "Aa" * 50_000, "a'" * 50_000, "#" * 50_000, ".) " * 40_000])
def test_hostile_text_names_nothing_and_hides_no_name_after_it(text: str) -> None:
    findings = check(f"{text}\n\nWe fly with Lufthansa.")

    assert [found.message for found in findings] == ["the name 'Lufthansa' is in no value of the row"]


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    check(text)
