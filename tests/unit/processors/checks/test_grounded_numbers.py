"""Which numbers a row covers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from builders import a_document
from processors.checks import grounded_numbers, page_under_check
from schemas.base import Severity
from schemas.events import Finding

ROW: dict[str, JsonValue] = {
    "km": 1105,
    "people": 3_412_000,
    "share": 0.153,
    "hours": 12.7,
    "day": "2026-11-21",
    "price": "from 1,299.50 EUR",
    "planes": ["A320", {"seats": 180}],
    "direct": True,
    "left": None,
    "below_zero": -40,
}


def check(body: str, **settings: Any) -> tuple[Finding, ...]:
    page = page_under_check(a_document(title="A title of words", description="", body=body), ROW)
    return grounded_numbers.check(page, grounded_numbers.Settings(**settings))


@pytest.mark.parametrize(
    "body",
    [
        "It is 1105 km, 1,105 km, 1.105 km, 1\u202f105 km, 1'105km or 1105.0 km.",
        "Some 3.4 million people, 3.4M, 3,412k, 3412 thousand or 3,412,000.",
        "A share of 15.3 %, 15.3%, 15.3 percent, 15 per cent.",
        "It takes 12.7 h, 12,7 h or 13 hours.",
        "On 21 November 2026, on 21.11.2026, on 11/21/2026, on the 21st.",
        "It costs \u20ac1,299.50, 1.299,50 \u20ac, EUR 1300 or 1299.5 euros.",
        "The A320 has 180 seats; a 180-seat plane.",
        "There are 3 ways, 12 months and 0 doubts.",
        "1. one\n2. two\n57. fifty-seven\n\n## 44. A heading",
        "[Route](https://a.example/777?x=555) and `12`.",
        "It is -40 or 40 degrees.",
    ],
)
def test_a_number_of_the_row_passes_however_it_is_printed(body: str) -> None:
    assert check(body) == ()


@pytest.mark.parametrize(
    "body",
    [
        "It is 1106 km.",
        "It is 1,205km.",
        "3.5 million people",
        "The A330 flies.",
        "In 2025.",
        "A 24/7 desk.",
        "10,20,30",
        "Version 1.22.333",
        "```\nspeed = 950\n```\n",
    ],
)
def test_another_number_warns(body: str) -> None:
    findings = check(body)

    assert {found.severity for found in findings} == {Severity.WARN}


@pytest.mark.parametrize(
    "body", ["Save 5 %.", "Save 5%.", "100 percent", "Only $9.", "Only 9 euros", "USD 400", "$7 million"]
)
def test_money_and_percent_that_the_row_does_not_have_are_errors_even_when_small(body: str) -> None:
    findings = check(body, other=Severity.INFO)

    assert [found.severity for found in findings] == [Severity.ERROR]


def test_a_number_is_reported_once_and_with_its_place() -> None:
    page = page_under_check(a_document(title="Best 77", description="All 77", body="77 and 77"), ROW)

    findings = grounded_numbers.check(page, grounded_numbers.Settings())

    assert [found.message for found in findings] == ["the number '77' in the title is in no value of the row"]


def test_the_recipe_says_what_is_allowed_and_how_exact_the_rest_is() -> None:
    assert check("24 hours", allowed=(24,)) == ()
    assert check("14 ways", small_up_to=14) == ()
    assert check("1,100 km", relative_tolerance=0.01) == ()
    assert check("13 hours", rounding=False, small_up_to=12) != ()


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("9" * 4000, ["999"]),
        ("1." + "0" * 4000, ["1.000"]),
        ("1,1" * 2000, ["1,11,1"]),
        ("$" * 4000, []),
        ("1 " * 4000, []),
        ("1." * 4000, ["1.1.1."]),
    ],
)
def test_hostile_text_is_one_finding_at_most_and_hides_no_number(text: str, starts: list[str]) -> None:
    messages = [found.message for found in check(f"{text}\n\nIt is 1106 km.")]

    assert len(messages) == len(starts) + 1
    for message, start in zip(messages, [*starts, "1106'"], strict=True):
        assert message.startswith(f"the number '{start}")


@given(st.integers(0, 10**15))
def test_a_row_grounds_its_own_numbers(number: int) -> None:
    page = page_under_check(
        a_document(title="A title of words", description="", body=f"{number:,} km"), {"n": number}
    )

    assert grounded_numbers.check(page, grounded_numbers.Settings()) == ()


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    check(text)
