"""Documents for schemas: always valid, grounded, and different for different rows."""

import re
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.embedded.provider import phrases
from streams.embedded.provider.chance import Chance
from streams.embedded.provider.facts import Fact
from streams.embedded.provider.json_schema import SchemaUnsupportedError
from streams.embedded.provider.writer import write_document

FACTS = (
    Fact(name="name", value="Hotel Astoria"),
    Fact(name="city", value="Vienna"),
    Fact(name="rooms", value="45"),
    Fact(name="opening_hours", value="9:00 to 18:00"),
    Fact(name="summary_of_reviews", value="Guests praise the quiet Garden and the Breakfast"),
)
BODY_CHARS = 1_200
NAMES = (
    "title",
    "slug",
    "description",
    "meta_description",
    "headline",
    "body",
    "body_markdown",
    "city",
    "rooms",
    "question",
    "answer",
    "tags",
    "score",
    "is_valid",
    "sections",
    "anything",
)


def write(schema: dict[str, Any], facts: tuple[Fact, ...] = FACTS, key: bytes = b"k") -> Any:
    return write_document(orjson.dumps(schema), facts, Chance(key), BODY_CHARS)


@st.composite
def bounded(draw: st.DrawFn, low_name: str, high_name: str, highest: int) -> dict[str, int]:
    low = draw(st.none() | st.integers(0, highest))
    high = draw(st.none() | st.integers(low or 0, highest))
    return {name: value for name, value in ((low_name, low), (high_name, high)) if value is not None}


def typed(kind: str, bounds: st.SearchStrategy[dict[str, int]]) -> st.SearchStrategy[dict[str, Any]]:
    return bounds.map(lambda found: {"type": kind, **found})


LEAVES = (
    typed("string", bounded("minLength", "maxLength", 3_000))
    | st.integers(1, 60).map(lambda high: {"type": "string", "maxLength": high, "pattern": "^[a-z0-9-]+$"})
    | st.integers(1, 60).map(lambda low: {"type": "string", "minLength": low, "pattern": "^[a-z0-9-]+$"})
    | typed("integer", bounded("minimum", "maximum", 1_000))
    | typed("number", bounded("minimum", "maximum", 1_000))
    | st.integers(1, 12).map(lambda step: {"type": "integer", "multipleOf": step, "minimum": 1})
    | st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"enum": ["a", 2, None]},
            {"const": {"x": 1}},
            {"type": ["string", "null"]},
            {"anyOf": [{"type": "null"}, {"type": "integer"}]},
            {"$ref": "#/$defs/shared"},
            {},
            True,
        ]
    )
)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=4)
    return properties.map(
        lambda found: {
            "type": "object",
            "properties": found,
            "required": list(found),
            "additionalProperties": False,
        }
    )


def arrays(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda items, bounds: {"type": "array", "items": items, **bounds},
        values,
        bounded("minItems", "maxItems", 5),
    )


SCHEMAS = objects(st.recursive(LEAVES, lambda inner: objects(inner) | arrays(inner), max_leaves=8)).map(
    lambda schema: {**schema, "$defs": {"shared": {"type": "string", "minLength": 5}}}
)


@settings(deadline=None, max_examples=300)
@given(schema=SCHEMAS, facts=st.sampled_from([FACTS, FACTS[:1], ()]), key=st.binary(max_size=4))
def test_any_document_fits_its_schema(schema: dict[str, Any], facts: tuple[Fact, ...], key: bytes) -> None:
    document = write(schema, facts, key)

    jsonschema_rs.validate(schema, document)


def page(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


PAGE = page(
    title={"type": "string", "minLength": 20, "maxLength": 60},
    slug={"type": "string", "pattern": "^[a-z0-9-]+$"},
    meta_description={"type": "string", "minLength": 110, "maxLength": 160},
    headline={"type": "string"},
    body_markdown={"type": "string", "minLength": 2_000},
    rooms={"type": "integer"},
    city={"type": "string"},
)


def test_the_same_key_writes_the_same_document_and_another_key_other_words() -> None:
    assert write(PAGE) == write(PAGE)
    assert write(PAGE)["body_markdown"] != write(PAGE, key=b"other")["body_markdown"]


def test_fields_named_as_facts_hold_their_values() -> None:
    document = write(PAGE)

    assert document["rooms"] == 45
    assert document["city"] == "Vienna"


def test_bodies_are_labelled_and_have_slack() -> None:
    body = write(PAGE)["body_markdown"]

    assert body.splitlines()[-1] == phrases.LABEL
    assert len(body) >= 2_000 * 1.15
    assert body.startswith("## ")
    assert "##" not in write(page(body={"type": "string"}))["body"]


@settings(deadline=None, max_examples=100)
@given(key=st.binary(max_size=8), facts=st.sampled_from([FACTS, FACTS[:2], ()]))
def test_texts_state_no_number_and_no_name_beyond_the_facts(key: bytes, facts: tuple[Fact, ...]) -> None:
    known = " ".join(fact.value for fact in facts)
    document = write(PAGE, facts, key)

    for name in ("title", "meta_description", "headline", "body_markdown"):
        text = document[name].replace(phrases.LABEL, "")
        assert set(re.findall(r"\d+", text)) <= set(re.findall(r"\d+", known))
        inside = re.findall(r"(?<=[a-z,:|\u2013] )[A-Z]\w+", text)
        assert set(inside) <= set(re.findall(r"\w+", known))


def test_titles_and_slugs_of_different_rows_differ() -> None:
    rows = [
        (Fact(name="topic", value="repair"), Fact(name="town", value=f"Town {number}"))
        for number in range(200)
    ]

    documents = [write(PAGE, row) for row in rows]

    assert len({document["title"] for document in documents}) == len(rows)
    assert len({document["slug"] for document in documents}) == len(rows)


def test_values_in_other_scripts_get_slugs_that_differ() -> None:
    slugs = {write(PAGE, (Fact(name="name", value=value),))["slug"] for value in ("東京", "大阪")}

    assert len(slugs) == 2


def test_recursive_schemas_end() -> None:
    schema = {
        "$defs": {
            "node": page(
                value={"type": "integer"}, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
            )
        },
        "$ref": "#/$defs/node",
    }

    jsonschema_rs.validate(schema, write(schema))


@pytest.mark.parametrize(
    "part",
    [
        {"allOf": [page(a={"type": "integer"}), page(b={"type": "string"})]},
        {"type": "array", "prefixItems": [{"const": 1}], "items": False, "minItems": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 3},
        {"type": "object"},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^[A-Z]{3}$", "maxLength": 3, "minLength": 3},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"properties": {"a": {"minimum": 3}}},
        {"oneOf": [{"type": "string", "enum": ["VIENNA", "x"]}, {"type": "null"}]},
    ],
)
def test_less_common_keywords_are_understood(part: dict[str, Any]) -> None:
    schema = page(city=part)

    jsonschema_rs.validate(schema, write(schema))


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        ({"type": "integer", "minimum": 3, "maximum": 2}, "found no number"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "length 3 to 2"),
        ({"type": "string", "pattern": r"^\d{3}[XY]{2}!$"}, "found no text for pattern"),
        ({"type": "string", "minLength": 10**9}, "at most"),
        ({"type": "array", "minItems": 10_000}, "at most"),
        ({"$ref": "https://example.org/x"}, "not a valid JSON Schema|only references within"),
        ({"type": "strin"}, "not a valid JSON Schema"),
        ({"type": "string", "not": {"type": "string"}}, "cannot be written"),
        ({"anyOf": [{"$ref": "#/properties/part"}]}, "endless"),
    ],
)
def test_what_cannot_be_written_is_explained(part: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SchemaUnsupportedError, match=complaint):
        write(page(part=part))
