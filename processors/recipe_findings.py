"""What compiles in a recipe and yet costs money or is refused: for `pressline recipe check`."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from processors.recipe import CompiledRecipe
from schemas.recipe import Step

SCHEMA_DEPTH_MAX = 20
OBJECTS_OF = ("properties", "$defs", "definitions")
LISTS_OF = ("anyOf", "allOf", "oneOf", "prefixItems")

Schema = Mapping[str, JsonValue]


def findings(recipe: CompiledRecipe) -> tuple[str, ...]:
    """Return what is to be mended, a line each: the place, what was seen, what was expected."""
    seen = [line for step in recipe.recipe.steps for line in (*_unstable(recipe, step), *_lax(recipe, step))]
    return tuple(dict.fromkeys(seen))


def _unstable(recipe: CompiledRecipe, step: Step) -> Iterator[str]:
    """A prompt cache finds a prompt again up to the first word that differs from row to row."""
    stable = [(part.template, f"stable part {part.name!r}") for part in step.parts if part.stable]
    system = [(step.system, "the system prompt")] if step.system else []
    for template, what in (*system, *stable):
        if uses := recipe.templates[template].uses:
            yield (
                f"{template}: {what} of step {step.name!r} uses {', '.join(sorted(uses))}, which differs "
                "from row to row: no prompt cache can use what follows; move it into a part of the row"
            )


def _lax(recipe: CompiledRecipe, step: Step) -> Iterator[str]:
    """OpenAI refuses such a schema.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    for path, schema in _objects(dict(recipe.answer_schema(step)), "", 0):
        place = f"{step.output}: {path or 'the answer'}"
        properties, required = schema.get("properties"), schema.get("required")
        names = properties if isinstance(properties, dict) else {}
        missing = set(names) - set(required if isinstance(required, list) else ())
        if missing:
            yield (
                f"{place}: {', '.join(sorted(missing))} not in required, but OpenAI takes only schemas that "
                "require every property; name it there, and let its type be null, too, if it may be absent"
            )
        if schema.get("additionalProperties") is not False:
            yield f"{place}: additionalProperties is not false, but OpenAI takes nothing else; set it"


def _objects(schema: JsonValue, path: str, depth: int) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas of objects, each with its path."""
    if not isinstance(schema, dict) or depth > SCHEMA_DEPTH_MAX:
        return
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema:
        yield path, schema
    for name, child in _children(schema):
        yield from _objects(child, f"{path}.{name}".strip("."), depth + 1)


def _children(schema: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    for key in OBJECTS_OF:
        found = schema.get(key)
        yield from (
            ((f"{key}.{name}", child) for name, child in found.items()) if isinstance(found, dict) else ()
        )
    for key in LISTS_OF:
        listed = schema.get(key)
        yield from (
            ((f"{key}.{n}", child) for n, child in enumerate(listed)) if isinstance(listed, list) else ()
        )
    if "items" in schema:
        yield "items", schema["items"]
