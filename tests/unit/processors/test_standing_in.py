"""What `recipe check` finds wrong with templates that stand in for answers."""

from processors.recipe import compile_recipe
from processors.standing_in import faults_of

CONFIGURATION = b"""
name: note
key: "{{ topic }}"
inputs: inputs.json
steps:
  - {name: outline, prompt: ask.j2, output: page.json}
  - {name: write, prompt: ask.j2, output: page.json, template: write.json.j2}
  - {name: polish, prompt: ask.j2, output: page.json, template: polish.json.j2}
page: {slug: "{{ topic }}", title: "{{ steps.polish.title }}", body: page.md.j2}
"""


def faults(write: bytes, polish: bytes = b'{"title": {{ steps.write.title | tojson }}}') -> tuple[str, ...]:
    recipe = compile_recipe(
        {
            "recipe.yaml": CONFIGURATION,
            "inputs.json": b'{"type": "object", "properties": {"topic": {"type": "string"}}}',
            "page.json": b'{"type": "object", "properties": {"title": {"minLength": 3}}}',
            "ask.j2": b"Write {{ topic }}",
            "page.md.j2": b"x",
            "write.json.j2": write,
            "polish.json.j2": polish,
        }
    )
    return faults_of(recipe, {"topic": "Tea"})


def test_templates_that_fit_have_no_faults() -> None:
    assert faults(b'{"title": {{ topic | tojson }}}') == ()


def test_a_template_that_does_not_fit_its_schema_is_found() -> None:
    [fault] = faults(b'{"title": "{{ topic[0] }}"}', b'{"title": "long"}')

    assert fault.startswith("write.json.j2: ")


def test_a_template_after_one_that_fits_is_rendered_with_what_that_makes() -> None:
    [fault] = faults(b'{"title": {{ topic | tojson }}}', b'{"title": "{{ steps.write.title[0] }}"}')

    assert fault.startswith("polish.json.j2: ")


def test_what_only_a_models_answer_can_tell_is_left_out() -> None:
    assert faults(b'{"title": {{ steps.outline.nothing | tojson }}}') == ()
