"""The table of checks."""

from typing import Any

import pytest

from builders import BODY, INPUTS, a_document
from processors.checks import ALWAYS, CHECKS, compile_checks, page_under_check
from processors.errors import InvalidRecipeError
from schemas.base import Severity
from schemas.events import Finding
from schemas.recipe import CheckRule


def run(*rules: CheckRule, **changes: Any) -> list[Finding]:
    page = page_under_check(a_document(**changes), INPUTS)
    return [found for check in compile_checks(rules) for found in check(page)]


def test_an_unknown_check_is_an_invalid_recipe_that_names_the_known_ones() -> None:
    with pytest.raises(
        InvalidRecipeError, match="'magic', expected one of size, leftovers, length"
    ) as caught:
        compile_checks([CheckRule(check="magic")])

    assert all(name in str(caught.value) for name in CHECKS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"words_min": "many"}, "settings.words_min is 'many'"),
        ({"words_min": -1}, "settings.words_min is -1"),
        ({"words": 3}, "settings.words is 3"),
    ],
)
def test_wrong_settings_are_an_invalid_recipe_that_names_the_field(settings: Any, said: str) -> None:
    with pytest.raises(InvalidRecipeError, match="check length: ") as caught:
        compile_checks([CheckRule(check="length", settings=settings)])

    assert said in str(caught.value)


def test_lists_of_a_recipe_are_taken_as_settings() -> None:
    rule = CheckRule(check="grounded-numbers", settings={"allowed": [24, 7.5]})

    assert run(rule, body="Open 24 hours, 7.5 days.") == []


def test_some_checks_run_for_every_recipe() -> None:
    findings = run(body="As an AI language model I cannot say.")

    assert [found.check for found in findings] == ["leftovers"]
    assert {"size", "leftovers", "duplicate"} == set(ALWAYS)


def test_a_rule_replaces_the_settings_of_a_check_that_always_runs() -> None:
    rule = CheckRule(check="leftovers", settings={"allowed": ["undefined"]})

    assert run(rule, body="The quotient is undefined.") == []


def test_a_rules_severity_replaces_that_of_the_check() -> None:
    rule = CheckRule(check="length", severity=Severity.ERROR)

    assert [found.severity for found in run(rule, body="Few words.")] == [Severity.ERROR]


def test_every_check_with_its_defaults_passes_a_good_page() -> None:
    rules = [CheckRule(check=name) for name in CHECKS if name != "length"]

    assert run(*rules, body=BODY) == []
