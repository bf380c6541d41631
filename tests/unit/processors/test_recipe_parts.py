"""A step may ask in parts: stable ones first, each with a rule for what goes when there is no room."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.errors import InvalidRecipeError
from processors.prompt import joined, stable_chars
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.recipe import Trim

PARTS = (
    "parts: [{name: row, template: row.j2}, {name: notes, template: notes.j2, trim: tail, tokens_max: 90, "
    "priority: 7}, {name: rules, template: rules.j2, stable: true}]"
)


def a_recipe(asks: str = PARTS, rules: str = "  Be short.\n") -> CompiledRecipe:
    configuration = f"""
name: note
key: "{{{{ topic }}}}"
inputs: inputs.json
steps: [{{name: write, output: page.json, {asks}}}]
page: {{slug: "{{{{ topic }}}}", title: t, body: row.j2}}
"""
    properties = b'{"topic": {"type": "string"}, "notes": {"type": "string"}}'
    return compile_recipe(
        {
            "recipe.yaml": configuration.encode(),
            "inputs.json": b'{"type": "object", "properties": %s}' % properties,
            "page.json": b'{"type": "object"}',
            "row.j2": b"Write on {{ topic }}.\n",
            "notes.j2": b"{% if notes is defined %}Notes: {{ notes }}{% endif %}\n",
            "rules.j2": rules.encode(),
        }
    )


def test_stable_parts_come_first_and_the_rest_in_their_order() -> None:
    recipe = a_recipe()

    prompt = recipe.prompt(recipe.recipe.steps[0], {"topic": "Tea", "notes": "green"}, {}, [])

    assert prompt.user == "Be short.\n\nWrite on Tea.\n\nNotes: green"
    assert [part.name for part in prompt.parts] == ["rules", "row", "notes"]
    notes = prompt.parts[2]
    assert (notes.priority, notes.trim, notes.tokens_max, notes.stable) == (7, Trim.TAIL, 90, False)


def test_a_part_that_renders_to_nothing_is_left_out() -> None:
    recipe = a_recipe()

    prompt = recipe.prompt(recipe.recipe.steps[0], {"topic": "Tea"}, {}, [])

    assert [part.name for part in prompt.parts] == ["rules", "row"]


def test_what_was_wrong_with_the_page_before_is_a_part_that_is_never_trimmed() -> None:
    recipe = a_recipe()

    prompt = recipe.prompt(recipe.recipe.steps[0], {"topic": "Tea"}, {}, ["too short"])

    assert prompt.parts[-1].text == (
        "Your last page had these faults. Write it again without them:\n- too short"
    )
    assert (prompt.parts[-1].trim, prompt.parts[-1].stable) == (Trim.NONE, False)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_two_rows_share_the_stable_beginning(one: str, other: str, notes: str) -> None:
    recipe = a_recipe()
    step = recipe.recipe.steps[0]

    first = recipe.prompt(step, {"topic": one}, {}, []).parts
    second = recipe.prompt(step, {"topic": other, "notes": notes}, {}, ["a fault"]).parts

    stable = joined(first)[: stable_chars(first)]
    assert stable == "Be short."
    assert joined(second)[: stable_chars(second)] == stable


@pytest.mark.parametrize(
    ("asks", "fault"),
    [
        ("prompt: row.j2, " + PARTS, "either prompt or parts"),
        ("temperature: 0", "either prompt or parts"),
        ("parts: []", "either prompt or parts"),
        ("parts: [{name: a, template: row.j2}, {name: a, template: rules.j2}]", "expected each once"),
        ("parts: [{name: a, template: row.j2, tokens_max: 5}]", "expected another trim"),
        ("parts: [{name: a, template: none.j2}]", "none.j2: no such file"),
        ("parts: [{name: a, template: row.j2, trim: front}]", "trim"),
    ],
)
def test_parts_that_cannot_work_are_refused(asks: str, fault: str) -> None:
    with pytest.raises(InvalidRecipeError, match=fault):
        a_recipe(asks)


def test_a_template_of_a_part_is_checked_as_any_other() -> None:
    with pytest.raises(InvalidRecipeError, match=r"rules\.j2: unknown variable tone"):
        a_recipe(rules="Be {{ tone }}.")
