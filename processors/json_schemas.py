"""JSON Schemas of inputs and answers: compiled once, errors without the content they are about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import jsonschema_rs
import orjson
from pydantic import JsonValue

from processors.errors import InvalidRecipeError
from schemas.codec import InvalidMessageError, check_json

ERRORS_MAX = 10
ERROR_CHARS_MAX = 300
# Their messages name the properties that were found, which is content.
TELLING_KEYWORDS = frozenset({"additionalProperties", "unevaluatedProperties", "propertyNames"})


class Validator(Protocol):
    """What is used of `jsonschema_rs`'s validators, which are one class per draft."""

    def iter_errors(self, instance: Any) -> Iterator[jsonschema_rs.ValidationError]:
        """Yield every error of the instance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JsonSchema:
    """A JSON Schema of an object, ready to use.

    Attributes:
        document: the schema itself.
        validator: the compiled schema.
    """

    document: Mapping[str, JsonValue]
    validator: Validator

    @property
    def properties(self) -> Mapping[str, JsonValue]:
        """The named properties and their schemas."""
        properties = self.document.get("properties")
        return properties if isinstance(properties, dict) else {}

    @property
    def optional(self) -> tuple[str, ...]:
        """The named properties that are not required, in the schema's order."""
        required = self.document.get("required")
        names = required if isinstance(required, list) else []
        return tuple(name for name in self.properties if name not in names)

    def errors(self, value: object) -> tuple[str, ...]:
        """Return what is wrong with `value`, each as `path: what was expected`, nothing of it quoted.

        At most ERRORS_MAX errors, and a last line when there are more.
        """
        found = list(islice(self.validator.iter_errors(value), ERRORS_MAX + 1))
        # The validator reports in no fixed order; equal failures must read the same.
        shown = tuple(sorted(self._text(error) for error in found[:ERRORS_MAX]))
        return shown if len(found) <= ERRORS_MAX else (*shown, "and more")

    def _text(self, error: jsonschema_rs.ValidationError) -> str:
        path = ".".join(str(part) for part in error.instance_path) or "the object"
        if error.kind.name in TELLING_KEYWORDS:
            return f"{path}: has properties that the schema does not allow"[-ERROR_CHARS_MAX:]
        return f"{path[:100]}: {error.message}"[:ERROR_CHARS_MAX]


def compile_schema(file: str, content: bytes) -> JsonSchema:
    """Return the schema that a recipe's file holds. Nothing is ever fetched to resolve a `$ref`.

    Raises:
        InvalidRecipeError: not JSON, not a valid schema, not of an object, or a `$ref` out of the file.
    """
    try:
        check_json(content)
        document = orjson.loads(content)
    except (InvalidMessageError, ValueError) as error:
        raise InvalidRecipeError(f"{file}: {error}") from None
    if not isinstance(document, dict) or document.get("type") != "object":
        seen = document.get("type") if isinstance(document, dict) else type(document).__name__
        raise InvalidRecipeError(f"{file}: type is {str(seen)[:100]!r}, expected a schema of type 'object'")
    try:
        # The mask stands in messages where the offending value would.
        validator = jsonschema_rs.validator_for(document, mask="the value", offline=True)
    except jsonschema_rs.ValidationError as error:
        place = ".".join(str(part) for part in error.instance_path) or "the schema"
        raise InvalidRecipeError(f"{file}: {place}: {error.message[:ERROR_CHARS_MAX]}") from None
    return JsonSchema(document=document, validator=validator)
