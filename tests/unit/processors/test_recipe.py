import re
from collections.abc import Mapping

import orjson
import pytest
from pydantic import JsonValue

from processors.errors import InvalidInputsError, InvalidOutputError, InvalidRecipeError
from processors.json_schemas import ERRORS_MAX
from processors.recipe import FILE_BYTES_MAX, FILES_MAX, CompiledRecipe, compile_recipe
from processors.templates import RENDERED_CHARS_MAX

CONFIGURATION = b"""
name: thing
key: "{{ sku }}"
inputs: inputs.json
steps:
  - {name: outline, prompt: outline.j2, output: outline.json}
  - {name: write, prompt: write.j2, system: system.j2, output: page.json}
page:
  slug: "{{ sku }}"
  title: "{{ steps.write.title }}"
  description: "About {{ sku }}"
  body: page.md.j2
  data: {weight: "{{ weight }} kg"}
"""
FILES: Mapping[str, bytes] = {
    "recipe.yaml": CONFIGURATION,
    "inputs.json": orjson.dumps(
        {
            "type": "object",
            "properties": {
                "sku": {"type": "string"},
                "weight": {"type": "number", "minimum": 0},
                "pieces": {"type": ["integer", "null"]},
                "fragile": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "sizes": {"type": "array", "items": {"type": "integer"}},
                "maker": {"type": "object"},
            },
            "required": ["sku", "weight"],
            "additionalProperties": False,
        }
    ),
    "outline.json": b'{"type": "object", "required": ["points"]}',
    "page.json": b'{"type": "object", "properties": {"title": {"type": "string", "maxLength": 20}},'
    b' "required": ["title"], "additionalProperties": false}',
    "outline.j2": b"Outline {{ sku }}.\n{{ facts }}",
    "write.j2": b"{% for point in steps.outline.points %}{{ loop.index }} {{ point }};{% endfor %}",
    "system.j2": b"You write.",
    "page.md.j2": b"{{ steps.write.title }}{% if tags is defined %} ({{ tags | cell }}){% endif %}",
}
INPUTS: dict[str, JsonValue] = {"sku": "A-1", "weight": 2.5}
OUTPUTS: dict[str, dict[str, JsonValue]] = {
    "outline": {"points": ["one", "two"]},
    "write": {"title": "Thing"},
}


def a_recipe() -> CompiledRecipe:
    return compile_recipe(FILES)


def with_file(name: str, content: bytes) -> CompiledRecipe:
    return compile_recipe({**FILES, name: content})


def configured(old: bytes, new: bytes) -> CompiledRecipe:
    assert old in CONFIGURATION
    return with_file("recipe.yaml", CONFIGURATION.replace(old, new))


def test_a_recipe_compiles_and_keeps_its_files() -> None:
    recipe = a_recipe()

    assert recipe.files == FILES
    assert recipe.ref == f"thing@{recipe.version}"
    assert re.fullmatch(r"[0-9a-f]{12}", recipe.version)


def test_the_version_depends_on_content_alone() -> None:
    reordered = compile_recipe(dict(reversed(list(FILES.items()))))
    changed = with_file("system.j2", b"You write well.")

    assert reordered.version == a_recipe().version
    assert changed.version != a_recipe().version


@pytest.mark.parametrize(
    ("file", "content", "seen"),
    [
        ("recipe.yaml", b"a: &x [1]\nb: *x", r"recipe.yaml: line 1: anchors and aliases are not allowed"),
        ("recipe.yaml", b"name: a\nname: b", r"recipe.yaml: line 2: key 'name' is there twice"),
        ("recipe.yaml", b"name: !!python/name:os.system", r"recipe.yaml: line 1: could not determine"),
        ("recipe.yaml", b"[" * 5000, r"recipe.yaml: nested too deep"),
        ("recipe.yaml", b"\x00", r"recipe.yaml: .*"),
        ("recipe.yaml", b"# " + b"x" * 70_000, r"recipe.yaml: 70002 bytes, at most 65536 are allowed"),
        ("recipe.yaml", b"name: thing", r"recipe.yaml: not a Recipe: key: Field required"),
        ("recipe.yaml", b"1: x", r"recipe.yaml: Dict key must be str"),
        ("recipe.yaml", CONFIGURATION + b"checks: [{check: magic}]", r"recipe.yaml: checks: .*magic"),
        ("write.j2", b"{{ colour }}", r"write.j2: unknown variable colour; known are facts, fragile"),
        ("write.j2", b"one\n{% if %}", r"write.j2: line 2: Expected an expression"),
        ("write.j2", b"{{ [1, 2] | random }}", r"write.j2: line 1: No filter named 'random'"),
        ("write.j2", b"{% include 'system.j2' %}", r"write.j2: includes another template"),
        ("outline.j2", b"{{ steps.write.title }}", r"steps.write is not finished by then; finished are none"),
        ("page.md.j2", b"{{ steps.wrote.title }}", r"page.md.j2: steps.wrote is not finished"),
        ("write.j2", b"\xff", r"write.j2: byte 0 is not UTF-8"),
        ("page.json", b"{", r"page.json: the value is not JSON"),
        (
            "page.json",
            b'{"type": "array"}',
            r"page.json: type is 'array', expected a schema of type 'object'",
        ),
        ("page.json", b"[]", r"page.json: type is 'list'"),
        (
            "page.json",
            b'{"type": "object", "properties": 3}',
            r"page.json: properties: the value is not of type",
        ),
        (
            "inputs.json",
            b'{"type": "object", "properties": {"a b": {}}}',
            r"properties.a b: not an input's name",
        ),
        (
            "inputs.json",
            b'{"type": "object", "properties": {"facts": {}}}',
            r"properties.facts: the name is taken",
        ),
    ],
)
def test_a_wrong_recipe_names_the_file_the_place_and_what_was_seen(
    file: str, content: bytes, seen: str
) -> None:
    with pytest.raises(InvalidRecipeError, match=seen):
        with_file(file, content)


@pytest.mark.parametrize("ref", ["https://example.org/a.json", "file:///etc/hostname", "other.json"])
def test_a_schema_never_reaches_out_of_its_file(ref: str) -> None:
    with pytest.raises(InvalidRecipeError, match=r"page.json: .*retriev"):
        with_file("page.json", orjson.dumps({"type": "object", "$ref": ref}))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InvalidRecipeError, match=r"system.j2: no such file; there is inputs.json"):
        compile_recipe({name: content for name, content in FILES.items() if name != "system.j2"})


def test_too_many_inputs_are_refused() -> None:
    properties: dict[str, object] = {f"x{number}": {} for number in range(201)}

    with pytest.raises(InvalidRecipeError, match=r"201 properties, at most 200"):
        with_file("inputs.json", orjson.dumps({"type": "object", "properties": properties}))


def test_files_are_bounded_in_count_and_size() -> None:
    with pytest.raises(InvalidRecipeError, match=f"at most {FILES_MAX}"):
        compile_recipe({f"{number}.j2": b"" for number in range(FILES_MAX + 1)})
    with pytest.raises(InvalidRecipeError, match=f"at most {FILE_BYTES_MAX}"):
        with_file("system.j2", b"x" * (FILE_BYTES_MAX + 1))


def test_a_prompt_sees_inputs_facts_and_finished_steps() -> None:
    recipe = a_recipe()
    outline, write = recipe.recipe.steps

    first = recipe.prompt(outline, INPUTS, {}, [])
    second = recipe.prompt(write, INPUTS, {"outline": OUTPUTS["outline"]}, [])

    assert first.system is None
    assert first.user == "Outline A-1.\nFACTS\n- sku: A-1\n- weight: 2.5\nEND FACTS"
    assert (second.system, second.user) == ("You write.", "1 one;2 two;")


def test_steps_may_share_a_template() -> None:
    recipe = configured(b"prompt: outline.j2,", b"prompt: outline.j2, system: system.j2,")

    prompts = [recipe.prompt(step, INPUTS, OUTPUTS, []) for step in recipe.recipe.steps]

    assert [prompt.system for prompt in prompts] == ["You write.", "You write."]


def test_feedback_is_listed_after_the_prompt() -> None:
    recipe = a_recipe()

    prompt = recipe.prompt(recipe.recipe.steps[0], INPUTS, {}, ["too short", "says 7"])

    assert prompt.user.endswith("Write it again without them:\n- too short\n- says 7\n")


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (b"{{ fragile }}", r"write.j2: 'fragile' is undefined"),
        (b"{{ sku.__class__.__mro__ }}", r"write.j2: access to attribute '__class__'"),
        (b"{{ 'a' * 1000000000 }}", r"write.j2: \* is for two numbers"),
        (b"{{ 9 ** 9 ** 9 }}", r"write.j2: \*\* is for two numbers, and \*\* is not allowed"),
        (b"{{ 2 * 3 }}{{ 1 / 0 }}", r"write.j2: failed with ZeroDivisionError"),
        (b"{% for i in range(90000) %}{{ sku }}{% endfor %}", f"made more than {RENDERED_CHARS_MAX}"),
    ],
)
def test_a_template_that_fails_names_itself(source: bytes, seen: str) -> None:
    recipe = with_file("write.j2", source)

    with pytest.raises(InvalidRecipeError, match=seen):
        recipe.prompt(recipe.recipe.steps[1], INPUTS, OUTPUTS, [])


def test_input_errors_name_the_path_and_quote_nothing() -> None:
    errors = a_recipe().check_inputs({"weight": -1, "tags": ["a", 4711], "hidden": 1})

    assert errors == (
        'tags.1: the value is not of type "string"',
        'the object: "sku" is a required property',
        "the object: has properties that the schema does not allow",
        "weight: the value is less than the minimum of 0",
    )


def test_errors_are_bounded() -> None:
    errors = a_recipe().check_inputs({**INPUTS, "tags": [1] * 1000})

    assert len(errors) == ERRORS_MAX + 1
    assert errors[-1] == "and more"


def test_missing_inputs_are_the_optional_ones_that_are_absent_or_empty() -> None:
    inputs = {**INPUTS, "pieces": 0, "fragile": False, "tags": [], "sizes": None}

    assert a_recipe().missing_inputs(inputs) == ("tags", "sizes", "maker")


def test_a_document_is_made_of_the_pages_templates() -> None:
    inputs: dict[str, JsonValue] = {**INPUTS, "sku": "Łódź & Zürich", "tags": ["a|b", "c"]}

    document = a_recipe().document(inputs, OUTPUTS, simulated=True)

    assert document.slug == "lodz-zurich"
    assert document.title == "Thing"
    assert document.description == "About Łódź & Zürich"
    assert document.body == "Thing (a\\|b, c)"
    assert document.data == {"weight": "2.5 kg"}
    assert document.simulated


def test_a_page_without_description_has_an_empty_one() -> None:
    recipe = configured(b'  description: "About {{ sku }}"\n', b"")

    assert recipe.document(INPUTS, OUTPUTS, simulated=False).description == ""


def test_a_slug_that_ascii_cannot_show_comes_from_the_key() -> None:
    slug = a_recipe().document({**INPUTS, "sku": "東京"}, OUTPUTS, simulated=False).slug

    assert re.fullmatch(r"[0-9a-f]{8}", slug)


def test_an_empty_title_is_an_invalid_output() -> None:
    with pytest.raises(InvalidOutputError, match=r"the page's title: String should have at least 1"):
        a_recipe().document(INPUTS, {"write": {"title": " "}}, simulated=False)


def test_a_blank_key_is_an_invalid_input() -> None:
    with pytest.raises(InvalidInputsError, match="the key is blank"):
        a_recipe().row_key({"sku": "  "})
