import pytest

from processors.answers import parse_answer
from processors.json_schemas import compile_schema

SCHEMA = compile_schema(
    "page.json",
    b'{"type": "object", "properties": {"title": {"type": "string", "maxLength": 20}},'
    b' "required": ["title"], "additionalProperties": false}',
)


def test_strict_json_of_the_schema_is_taken_as_it_is() -> None:
    assert parse_answer('{"title": "Thing"}', SCHEMA) == ({"title": "Thing"}, ())


@pytest.mark.parametrize(
    "text",
    ['```json\n{"title": "Thing",}\n```', 'Here it is: {"title": "Thing"} Enjoy!', "{'title': 'Thing'"],
)
def test_what_is_nearly_json_is_mended(text: str) -> None:
    assert parse_answer(text, SCHEMA)[0] == {"title": "Thing"}


@pytest.mark.parametrize(
    "text",
    ["", "I cannot.", "[1]", '{"title": "a"} {"points": 1}', "[" * 5000, "x" * 200_001, '"\ud800', "null"],
)
def test_what_is_no_object_is_an_error(text: str) -> None:
    output, errors = parse_answer(text, SCHEMA)

    assert output is None
    assert errors == ("the answer is not JSON; expected one JSON object and nothing else",)


def test_answer_errors_quote_nothing() -> None:
    output, errors = parse_answer('{"title": "secret", "secret": 1}', SCHEMA)
    _, too_long = parse_answer('{"title": "secret secret secret secret"}', SCHEMA)

    assert output is None
    assert "secret" not in "".join(errors + too_long)
    assert too_long == ("title: the value is longer than 20 characters",)
