import orjson
import pytest

from processors.json_schemas import compile_schema
from processors.rows import cast_row

PROPERTIES = {
    "sku": {"enum": ["A", "007"]},
    "weight": {"type": "number", "minimum": 0},
    "pieces": {"type": ["null", "integer"]},
    "fragile": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "sizes": {"type": "array", "items": {"type": "integer"}},
    "maker": {"type": "object"},
}
SCHEMA = compile_schema("inputs.json", orjson.dumps({"type": "object", "properties": PROPERTIES}))


def test_cells_are_cast_by_the_schemas_types() -> None:
    row = {
        "sku": " 007 ",
        "weight": "2.50",
        "pieces": "12",
        "fragile": "Yes",
        "tags": "a| b |",
        "sizes": "1|2",
    }

    inputs, errors = cast_row(SCHEMA, row)

    assert errors == ()
    assert inputs == {
        "sku": "007", "weight": 2.5, "pieces": 12, "fragile": True, "tags": ["a", "b"], "sizes": [1, 2]
    }  # fmt: skip


def test_an_empty_cell_is_left_out() -> None:
    assert cast_row(SCHEMA, {"sku": "A", "weight": "3", "pieces": " "}) == ({"sku": "A", "weight": 3}, ())


@pytest.mark.parametrize(
    ("column", "cell", "seen"),
    [
        ("weight", "1,5", "weight: expected a number such as 12.5"),
        ("weight", "1e999", "weight: expected a number"),
        ("weight", "nan", "weight: expected a number"),
        ("pieces", "1_000", "pieces: expected an integer"),
        ("pieces", "9" * 19, "pieces: expected an integer of at most 18 digits"),
        ("sizes", "1|x", "sizes: expected an integer"),
        ("fragile", "maybe", "fragile: expected one of true, yes, 1"),
        ("maker", "{}", "maker: an object does not fit a cell"),
        ("colour", "red", "colour: no input of that name; there is sku"),
    ],
)
def test_a_cell_that_cannot_be_cast_is_an_error_of_its_column(column: str, cell: str, seen: str) -> None:
    inputs, errors = cast_row(SCHEMA, {column: cell})

    assert inputs == {}
    assert errors[0].startswith(seen)
