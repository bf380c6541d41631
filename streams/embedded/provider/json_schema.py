"""Reading a JSON Schema: references, alternatives and types, until a plain schema is left."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

SCHEMAS_CACHED_MAX = 256
STEPS_MAX = 64

Json = dict[str, Any]


class SchemaUnsupportedError(ValueError):
    """A schema for which no document can be written; the message says which part and why."""


@lru_cache(maxsize=SCHEMAS_CACHED_MAX)
def compiled(schema: bytes) -> tuple[Json, jsonschema_rs.Validator]:
    """Return a schema, read, with its validator.

    Raises:
        SchemaUnsupportedError: It is not a JSON Schema.
    """
    content: Json = orjson.loads(schema)
    try:
        jsonschema_rs.meta.validate(content)
        return content, jsonschema_rs.validator_for(content)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise SchemaUnsupportedError(f"not a valid JSON Schema: {str(error)[:300]}") from error


def resolved(root: Json, schema: Any, *, prefer_null: bool) -> Json:
    """Return `schema` with its references followed and its alternatives chosen.

    Args:
        root: The whole schema, which references point into.
        schema: The part to read.
        prefer_null: Choose null where it is an alternative, so that recursive schemas end.

    Raises:
        SchemaUnsupportedError: It allows no value, refers to elsewhere, or never ends.
    """
    for _ in range(STEPS_MAX):
        if not isinstance(schema, dict):
            if schema is True:
                return {"type": "string"}
            raise SchemaUnsupportedError(f"schema {schema!r} allows no value")
        options = schema.get("anyOf") or schema.get("oneOf")
        if "$ref" in schema:
            schema = {**_without(schema, "$ref"), **_referenced(root, schema["$ref"])}
        elif options:
            schema = {**_without(schema, "anyOf", "oneOf"), **_option(options, prefer_null=prefer_null)}
        elif "allOf" in schema:
            schema = _merged([_without(schema, "allOf"), *schema["allOf"]])
        else:
            return schema
    raise SchemaUnsupportedError(f"more than {STEPS_MAX} references in a row: is the schema endless?")


def type_of(schema: Json) -> str:
    """Return the JSON type to write: the first that is named, or the one that the keywords imply."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = _implied_type(schema)
    return str(kind)


def _referenced(root: Json, reference: str) -> Json:
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        target = target.get(key) if isinstance(target, dict) and key else target
    if not reference.startswith("#") or not isinstance(target, dict):
        raise SchemaUnsupportedError(f"$ref {reference!r}: only references within the schema are simulated")
    return target


def _implied_type(schema: Json) -> str:
    if schema.keys() & {"properties", "required", "additionalProperties"}:
        return "object"
    if schema.keys() & {"items", "prefixItems", "minItems", "maxItems"}:
        return "array"
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return "number"
    return "string"


def _option(options: Sequence[Any], *, prefer_null: bool) -> Json:
    written = [option for option in options if isinstance(option, dict)]
    nulls = [option for option in written if option.get("type") == "null"]
    values = [option for option in written if option.get("type") != "null"]
    preferred = nulls or values if prefer_null else values or nulls
    if not preferred:
        raise SchemaUnsupportedError("anyOf or oneOf holds no schema object")
    return preferred[0]


def _merged(schemas: Sequence[Any]) -> Json:
    whole: Json = {}
    for schema in (one for one in schemas if isinstance(one, dict)):
        properties = {**whole.get("properties", {}), **schema.get("properties", {})}
        required = [*whole.get("required", []), *schema.get("required", [])]
        whole.update(schema)
        if properties:
            whole["properties"] = properties
        if required:
            whole["required"] = list(dict.fromkeys(required))
    return whole


def _without(schema: Json, *names: str) -> Json:
    return {name: value for name, value in schema.items() if name not in names}
