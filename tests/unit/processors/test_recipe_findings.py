"""What compiles and yet costs money or is refused is told by `pressline recipe check`."""

from pathlib import Path

import orjson
import pytest

from processors.recipe import CompiledRecipe, compile_recipe
from processors.recipe_findings import findings
from processors.recipe_scaffold import scaffold

RECIPES = Path(__file__).parents[3] / "recipes"
GOOD = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


def a_recipe(schema: object = GOOD, system: str = "You write.", rules: str = "Be short.") -> CompiledRecipe:
    configuration = b"""
name: note
key: "{{ topic }}"
inputs: inputs.json
steps:
  - name: write
    output: page.json
    system: system.j2
    parts: [{name: rules, template: rules.j2, stable: true}, {name: row, template: row.j2}]
page: {slug: "{{ topic }}", title: t, body: row.j2}
"""
    return compile_recipe(
        {
            "recipe.yaml": configuration,
            "inputs.json": b'{"type": "object", "properties": {"topic": {"type": "string"}}}',
            "page.json": orjson.dumps(schema),
            "system.j2": system.encode(),
            "rules.j2": rules.encode(),
            "row.j2": b"Write on {{ topic }}.",
        }
    )


@pytest.mark.parametrize("name", [folder.name for folder in RECIPES.iterdir() if folder.is_dir()])
def test_the_shipped_recipes_have_no_findings(name: str) -> None:
    files = {file.name: file.read_bytes() for file in (RECIPES / name).iterdir() if file.suffix != ".csv"}

    assert findings(compile_recipe(files)) == ()


def test_a_new_recipe_has_no_findings() -> None:
    files = scaffold("trail", {"name": ("a", "b"), "length_km": ("1", "2")})

    assert findings(compile_recipe({name: text.encode() for name, text in files.items()})) == ()


def test_a_good_recipe_has_no_findings() -> None:
    assert findings(a_recipe()) == ()


@pytest.mark.parametrize("use", ["{{ topic }}", "{{ facts }}", "{% if topic is defined %}x{% endif %}"])
def test_a_stable_text_that_uses_the_row_is_found(use: str) -> None:
    name = use.split()[1] if use.startswith("{{") else "topic"

    (in_system,) = findings(a_recipe(system=f"You write. {use}"))
    (in_part,) = findings(a_recipe(rules=f"Be short. {use}"))

    assert in_system.startswith(f"system.j2: the system prompt of step 'write' uses {name}, which differs")
    assert in_part.startswith(f"rules.j2: stable part 'rules' of step 'write' uses {name}, which differs")


def test_what_a_stable_template_sets_itself_is_no_finding() -> None:
    assert (
        findings(a_recipe(rules="{% set tone = 'dry' %}{% for n in range(2) %}{{ tone }}{% endfor %}")) == ()
    )


OPEN = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"], "additionalProperties": False}
LOOSE = {"type": "object", "properties": {"a": {}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (OPEN, "page.json: the answer: b not in required"),
        (LOOSE, "page.json: the answer: additionalProperties is not false"),
        ({**GOOD, "properties": {"title": LOOSE}}, "page.json: properties.title: additionalProperties"),
        ({**GOOD, "properties": {"title": {"items": OPEN}}}, "page.json: properties.title.items: b not in"),
        ({**GOOD, "$defs": {"x": OPEN}}, "page.json: $defs.x: b not in required"),
        (
            {**GOOD, "properties": {"title": {"anyOf": [{"type": "null"}, OPEN]}}},
            "page.json: properties.title.anyOf.1: b not in required",
        ),
    ],
)
def test_a_schema_that_openai_refuses_is_found_with_its_place(schema: object, found: str) -> None:
    (finding,) = findings(a_recipe(schema))

    assert finding.startswith(found)


def test_a_schema_of_two_steps_is_told_once() -> None:
    recipe = a_recipe(LOOSE)
    step = recipe.recipe.steps[0]
    twice = recipe.recipe.model_copy(update={"steps": (step, step.model_copy(update={"name": "again"}))})
    same = CompiledRecipe(
        recipe=twice,
        version=recipe.version,
        files=recipe.files,
        schemas=recipe.schemas,
        templates=recipe.templates,
        checks=recipe.checks,
    )

    assert len(findings(same)) == 1
