"""Few, many, and enough words."""

from typing import Any

import pytest

from builders import a_document
from processors.checks import length, page_under_check
from schemas.base import Severity
from schemas.events import Finding


def check(words: int, **settings: Any) -> tuple[Finding, ...]:
    page = page_under_check(a_document(body=" ".join(["it's"] * words)), {})
    return length.check(page, length.Settings(**settings))


@pytest.mark.parametrize("words", [3, 4, 5])
def test_a_count_within_the_bounds_passes(words: int) -> None:
    assert check(words, words_min=3, words_max=5) == ()


@pytest.mark.parametrize(
    ("words", "said"), [(2, "2 words, expected at least 3"), (6, "6 words, expected at most 5")]
)
def test_a_count_out_of_the_bounds_warns(words: int, said: str) -> None:
    findings = check(words, words_min=3, words_max=5)

    assert [found.severity for found in findings] == [Severity.WARN]
    assert said in findings[0].message


def test_there_is_no_upper_bound_unless_the_recipe_sets_one() -> None:
    assert check(9000) == ()
    assert check(299) != ()
