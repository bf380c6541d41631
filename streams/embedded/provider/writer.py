"""Writing a JSON document for any JSON Schema: values come from facts, texts from `prose`."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streams.embedded.provider.chance import Chance
from streams.embedded.provider.facts import Fact, slugify, words_of
from streams.embedded.provider.json_schema import SchemaUnsupportedError, compiled, resolved, type_of
from streams.embedded.provider.numbers import number_for
from streams.embedded.provider.prose import Bounds, Prose

DEPTH_MAX = 64
VALUES_MAX = 10_000
DEPTH_REQUIRED_ONLY = 8  # below it, optional parts are left out, so that recursive schemas end
ITEMS_USUAL = 3
ITEMS_MAX = 256
STRING_CHARS_MAX = 200_000

# The last word of a name tells a body (`article_body`) from what goes with it (`body_font`).
BODY_WORDS = frozenset({"body", "content", "article", "markdown", "html", "story"})
HEADLINE_WORDS = frozenset({"headline", "heading", "h1", "h2", "subtitle", "subheading"})
DESCRIPTION_WORDS = frozenset({"description", "summary", "answer", "intro", "excerpt", "reason", "notes"})
KEYWORD_WORDS = frozenset({"tag", "tags", "keyword", "keywords", "label", "labels", "category", "categories"})
# Facts rarely come in these forms, and a wrong one would not be valid.
FORMATS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "nobody@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
BODY_CHARS_FROM = 400  # a string that must be as long as this is a body, whatever its name
# Words after which "true" would be the bad news.
DOUBT_WORDS = frozenset({"needs", "contains", "requires", "unsafe", "spam", "harmful", "violation"})

Json = dict[str, Any]


def write_document(schema: bytes, facts: Sequence[Fact], chance: Chance, body_chars: int) -> Any:
    """Write a document that is valid for a schema.

    Args:
        schema: JSON Schema as JSON bytes.
        facts: What the document may state.
        chance: Which words are chosen.
        body_chars: Length of a body without bounds, in characters.

    Raises:
        SchemaUnsupportedError: The schema is invalid, contradictory, or beyond what is simulated.
    """
    content, validator = compiled(schema)
    writer = _Writer(content, facts, Prose(facts, chance, body_chars), chance)
    document = writer.value(content, "", depth=0, index=0)
    # The walk knows the common keywords; what it does not know must not pass silently.
    error = next(validator.iter_errors(document), None)
    if error is not None:
        where = "/".join(str(step) for step in error.instance_path) or "(root)"
        raise SchemaUnsupportedError(f"{where}: cannot be written for this schema: {error.message[:300]}")
    return document


class _Writer:
    def __init__(self, root: Json, facts: Sequence[Fact], prose: Prose, chance: Chance) -> None:
        self._root = root
        self._facts = {words_of(fact.name): fact for fact in facts}
        self._all = tuple(facts)
        self._prose = prose
        self._chance = chance
        self._values_left = VALUES_MAX
        self._by_type: dict[str, Callable[[Json, str, int, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._number,
            "number": self._number,
            "boolean": self._boolean,
            "null": lambda *_: None,
        }

    def value(self, schema: Any, name: str, *, depth: int, index: int) -> Any:
        """Write one value; `name` is that of the nearest property, `index` the place within its array."""
        self._values_left -= 1
        if depth > DEPTH_MAX or self._values_left < 0:
            raise SchemaUnsupportedError(
                f"{name}: deeper than {DEPTH_MAX} or more than {VALUES_MAX} values: is the schema endless?"
            )
        schema = resolved(self._root, schema, prefer_null=depth >= DEPTH_REQUIRED_ONLY)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], name)
        return self._by_type[type_of(schema)](schema, name, depth, index)

    def _choice(self, values: Sequence[Any], name: str) -> Any:
        fact = self._facts.get(words_of(name))
        if fact is not None:
            for value in values:
                if str(value).casefold() == fact.value.casefold():
                    return value
        return self._chance.pick(values)

    def _object(self, schema: Json, _name: str, depth: int, index: int) -> Json:
        required = schema.get("required", [])
        properties: Json = schema.get("properties", {})
        if not properties and not required and schema.get("additionalProperties", True) is not False:
            return {fact.name: fact.value for fact in self._all}
        names = required if depth >= DEPTH_REQUIRED_ONLY else dict.fromkeys((*properties, *required))
        return {
            name: self.value(properties.get(name, True), name, depth=depth + 1, index=index) for name in names
        }

    def _array(self, schema: Json, name: str, depth: int, _index: int) -> list[Any]:
        low = int(schema.get("minItems", 0))
        high = int(schema.get("maxItems", ITEMS_MAX))
        if low > ITEMS_MAX:
            raise SchemaUnsupportedError(f"{name}: minItems {low}, at most {ITEMS_MAX} are simulated")
        usual = 0 if depth >= DEPTH_REQUIRED_ONLY else ITEMS_USUAL
        count = min(max(low, usual), max(high, low))
        fixed = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        if rest is False:
            count = min(count, len(fixed))
        schemas = [fixed[i] if i < len(fixed) else rest for i in range(count)]
        return [self.value(item, name, depth=depth + 1, index=i) for i, item in enumerate(schemas)]

    def _number(self, schema: Json, name: str, _depth: int, _index: int) -> int | float:
        number = number_for(schema, words_of(name), self._facts.get(words_of(name)))
        if number is None:
            raise SchemaUnsupportedError(f"{name}: found no number that its bounds allow")
        return number

    def _boolean(self, _schema: Json, name: str, _depth: int, _index: int) -> bool:
        words = words_of(name)
        fact = self._facts.get(words)
        if fact is not None:
            return fact.value.casefold() in {"true", "yes", "1", "on"}
        return not DOUBT_WORDS.intersection(words)

    def _string(self, schema: Json, name: str, _depth: int, index: int) -> str:
        bounds = _bounds(schema, name)
        pattern = _pattern(schema.get("pattern"), name)
        for text in self._candidates(schema, name, bounds, index):
            fits = bounds.low <= len(text) <= bounds.top
            if fits and (pattern is None or pattern.search(text)):
                return text
        raise SchemaUnsupportedError(
            f"{name}: found no text for pattern {schema.get('pattern')!r} and length {bounds.low} to"
            f" {bounds.high}; slugs, words and values of facts are simulated"
        )

    def _candidates(self, schema: Json, name: str, bounds: Bounds, index: int) -> Iterator[str]:
        """Yield texts for a string property, best first; most callers take the first."""
        words = words_of(name)
        form = FORMATS.get(schema.get("format", ""))
        if schema.get("pattern") is None and form is None:
            yield self._text(words, bounds, index)
        if form is not None:
            yield form
        fact = self._facts.get(words)
        if fact is not None:
            yield fact.value
        text = self._text(words, bounds, index)
        slug = self._prose.slug(bounds)
        yield from (slug, text, slugify(text), text.upper(), slug.replace("-", "_"), slug.replace("-", ""))
        yield from (filler * max(bounds.low, 1) for filler in ("a", "A", "0"))

    def _text(self, words: Sequence[str], bounds: Bounds, index: int) -> str:
        named = frozenset(words)
        if "slug" in named:
            return self._prose.slug(bounds)
        if "title" in named:
            return self._prose.title(bounds)
        if "question" in named:
            return self._prose.question(index, bounds)
        if named & HEADLINE_WORDS:
            return self._prose.headline(bounds)
        if named & DESCRIPTION_WORDS and bounds.low < BODY_CHARS_FROM:
            return self._prose.description(bounds, about=index if "answer" in named else None)
        return self._other_text(words, bounds, index)

    def _other_text(self, words: Sequence[str], bounds: Bounds, index: int) -> str:
        fact = self._facts.get(tuple(words))
        if fact is not None and bounds.low <= len(fact.value) <= bounds.top:
            return fact.value
        if words == ("text",) or BODY_WORDS.intersection(words[-1:]) or bounds.low >= BODY_CHARS_FROM:
            return self._prose.body(bounds, markdown="markdown" in words)
        if KEYWORD_WORDS.intersection(words):
            return self._prose.keyword(index, bounds)
        return self._prose.description(bounds)


def _bounds(schema: Json, name: str) -> Bounds:
    low = int(schema.get("minLength", 0))
    high = schema.get("maxLength")
    if low > STRING_CHARS_MAX or (high is not None and high < low):
        raise SchemaUnsupportedError(
            f"{name}: length {low} to {high}; expected the lower bound at most {STRING_CHARS_MAX}"
            " and not above the upper"
        )
    # One character at least: an empty text is allowed by the schema but of no use to anyone.
    return Bounds(low=max(low, 0 if high == 0 else 1), high=None if high is None else int(high))


def _pattern(pattern: str | None, name: str) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise SchemaUnsupportedError(f"{name}: pattern {pattern!r} cannot be read: {error}") from error
