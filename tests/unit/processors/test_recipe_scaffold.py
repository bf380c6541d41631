import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.errors import InvalidInputsError
from processors.recipe import TAKEN_NAMES, CompiledRecipe, compile_recipe
from processors.recipe_scaffold import Columns, scaffold
from streams.embedded.provider.chance import Chance
from streams.embedded.provider.facts import read_facts
from streams.embedded.provider.wire import Message, Role
from streams.embedded.provider.writer import write_document

COLUMNS: Columns = {
    "city": ("Oslo", "Oslo", "Bergen"),
    "district": ("Frogner", "Grorud", "Laksevåg"),
    "zip": ("0250", "0950", "5160"),
    "people": ("59000", "27000", "38000"),
    "area_km2": ("8.3", "8", ""),
    "coastal": ("true", "false", "TRUE"),
    "schools": ("Uranienborg|Majorstuen", "Ammerud", ""),
    "note": ("", "", ""),
}
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in TAKEN_NAMES
)


def compiled(columns: Columns) -> CompiledRecipe:
    return compile_recipe({name: text.encode() for name, text in scaffold("my-rows", columns).items()})


def test_types_key_and_required_inputs_come_from_the_samples() -> None:
    recipe = compiled(COLUMNS)
    schema = orjson.loads(recipe.files["inputs.schema.json"])

    assert {name: each["type"] for name, each in schema["properties"].items()} == {
        "city": "string",
        "district": "string",
        "zip": "string",
        "people": "integer",
        "area_km2": "number",
        "coastal": "boolean",
        "schools": "array",
        "note": "string",
    }
    assert schema["required"] == ["city", "district", "zip", "people", "coastal"]
    assert recipe.recipe.key == "{{ city }}/{{ district }}"


def test_a_new_recipe_works_with_the_simulated_provider() -> None:
    recipe = compiled(COLUMNS)
    step = recipe.recipe.steps[0]
    samples = [{name: values[row] for name, values in COLUMNS.items()} for row in range(3)]

    for inputs, errors in map(recipe.cast_row, samples):
        prompt = recipe.prompt(step, inputs, {}, [])
        facts = read_facts([Message(role=Role.USER, text=prompt.user)])
        text = write_document(orjson.dumps(recipe.answer_schema(step)), facts, Chance(b"1"), 1500)
        output, faults = recipe.parse_output(step, orjson.dumps(text).decode())
        assert output is not None
        document = recipe.document(inputs, {step.name: output}, simulated=True)

        assert (errors, recipe.check_inputs(inputs), faults) == ((), (), ())
        assert {fact.name for fact in facts} == set(inputs)
        assert f"| District | {inputs['district']} |" in document.body
        assert ("| Schools |" in document.body) == ("schools" in inputs)


@given(st.dictionaries(names, st.lists(st.text(), min_size=2, max_size=2).map(tuple), min_size=1, max_size=8))
def test_whatever_the_columns_hold_the_recipe_compiles(columns: dict[str, tuple[str, ...]]) -> None:
    recipe = compiled({"sku": ("1", "2"), **columns})

    inputs, errors = recipe.cast_row({name: values[0] for name, values in columns.items()} | {"sku": "1"})

    assert errors == ()
    document = recipe.document(
        inputs, {"write": {"title": "T", "description": "", "body_markdown": "b"}}, simulated=True
    )
    assert document.body.startswith("b\n")


@pytest.mark.parametrize(
    "rows",
    [
        [("C",), ("C++",), ("C#",)],
        [("Москва",), ("Минск",), ("東京",), ("北京",), ("Oslo",)],
        [("a", "b c"), ("a", "b+c"), ("a", "東"), ("e", "x")],
        [("x" * 200 + end,) for end in "yz"],
    ],
)
@pytest.mark.parametrize("name", ["trail", "t" * 39])
def test_each_row_of_another_key_has_another_slug(rows: list[tuple[str, ...]], name: str) -> None:
    columns = dict(zip(("place", "part"), zip(*rows, strict=True), strict=False))
    recipe = compile_recipe({file: text.encode() for file, text in scaffold(name, columns).items()})

    slugs = [recipe.early_slug(dict(zip(columns, row, strict=True))) for row in rows]

    assert len(set(slugs)) == len(rows)
    assert all(slug is not None and slug.startswith(f"{name}-") for slug in slugs)


def test_samples_that_no_columns_tell_apart_still_give_a_key() -> None:
    assert compiled({"a": ("x", "x"), "b": ("y", "y")}).recipe.key == "{{ a }}/{{ b }}"


@pytest.mark.parametrize(
    ("name", "columns", "seen"),
    [
        ("My Rows", COLUMNS, "the name is 'My Rows', expected lower-case"),
        ("rows", {}, "0 columns, expected 1 to 200"),
        ("rows", {"From City": ("a",)}, "column 'From City': expected letters"),
        ("rows", {"facts": ("a",)}, "column 'facts': the name is taken"),
        ("rows", {"a": ("", "x"), "b": ("1|2", "3")}, "no column is filled in each row with one value"),
    ],
)
def test_what_cannot_become_a_recipe_says_why(
    name: str, columns: dict[str, tuple[str, ...]], seen: str
) -> None:
    with pytest.raises(InvalidInputsError, match=seen):
        scaffold(name, columns)
