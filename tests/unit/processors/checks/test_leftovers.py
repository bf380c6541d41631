"""What is a leftover, and what only looks like one."""

from typing import Any

import pytest

from builders import a_document
from processors.checks import leftovers, page_under_check
from schemas.base import Severity
from schemas.events import Finding


def check(settings: leftovers.Settings | None = None, **changes: Any) -> tuple[Finding, ...]:
    page = page_under_check(a_document(**changes), {})
    return leftovers.check(page, settings or leftovers.Settings())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("As an AI language model, I have no opinion.", "assistant"),
        ("As an AI, I have no opinion.", "assistant"),
        ("I'm sorry, but I can't do that.", "assistant"),
        ("I\u2019m sorry, but I cannot do that.", "assistant"),
        ("I cannot fulfill this request.", "assistant"),
        ("Fly from {{ from_city }} now.", "template"),
        ("Fly from {from_city} now.", "template"),
        ("{% if x %}", "template"),
        ("Call [insert number] now.", "placeholder"),
        ("Call [INSERT", "placeholder"),
        ("Welcome to [Your Company].", "placeholder"),
        ("The price is undefined today.", "undefined"),
        ("It is [object Object].", "undefined"),
        ("It takes NaN hours.", "nan"),
        ("Lorem ipsum dolor.", "lorem-ipsum"),
        ("```\ncode", "fence"),
    ],
)
def test_a_leftover_is_an_error(body: str, kind: str) -> None:
    findings = check(body=body)

    assert [found.severity for found in findings] == [Severity.ERROR]
    assert f"({kind})" in findings[0].message


@pytest.mark.parametrize("field", ["title", "description"])
def test_title_and_description_are_looked_at(field: str) -> None:
    assert field in check(None, **{field: "Flights to {city} in NaN hours"})[0].message


@pytest.mark.parametrize(
    "body",
    [
        "Earn more as an AI engineer in Rome.",
        "Nancy and Nan like BANANAS.",
        "Read [your guide](https://a.example) first.",
        "```js\nconst x = {name};\n```\n",
        "A set {1, 2} has two members {as we see}.",
        "*Simulated text: written by Pressline's simulated provider, not by a model.*",
    ],
)
def test_honest_text_is_no_leftover(body: str) -> None:
    assert check(body=body, simulated=True) == ()


def test_kinds_that_the_recipe_allows_are_not_looked_for() -> None:
    settings = leftovers.Settings(allowed=("undefined", "fence"))

    assert check(settings, body="undefined\n```\n") == ()
