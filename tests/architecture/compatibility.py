"""What a new JSON Schema forbids that an old one allowed: only additive changes find nothing."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

DEPTH_MAX = 60
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
EXACT = ("pattern", "format")
"""Whether one pattern allows all that another did cannot be decided here: a change needs a new version."""


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """Return what a sender that keeps to `old` would be refused for by `new`, a line each."""
    return list(_Comparison(old, new).whole())


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def whole(self) -> Iterator[str]:
        yield from self._compare(self._old, self._new, "$", 0)

    def _compare(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        assert depth < DEPTH_MAX, f"{path}: nested deeper than {DEPTH_MAX} levels"
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._compare_alternatives(old, new, path, depth)
            return
        yield from _type(old, new, path)
        yield from _values(old, new, path)
        yield from _bounds(old, new, path)
        yield from self._object(old, new, path, depth)
        yield from self._children(old, new, path, depth)

    def _compare_alternatives(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        for number, choice in enumerate(old.get("anyOf", [old])):
            found = [list(self._compare(choice, other, path, depth + 1)) for other in new.get("anyOf", [new])]
            if all(found):
                yield f"{path}: alternative {number} is no longer allowed ({min(found, key=len)[0]})"

    def _object(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        yield from (f"{path}.{name}: removed" for name in before if name not in after)
        required = set(new.get("required", ())) - set(old.get("required", ()))
        yield from (f"{path}.{name}: required now" for name in sorted(required))
        for name in before:
            if name in after:
                yield from self._compare(before[name], after[name], f"{path}.{name}", depth + 1)

    def _children(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        for name in ("items", "additionalProperties"):
            before, after = _child(old, name), _child(new, name)
            if before is not False and after is False:
                yield f"{path}: {name} are no longer allowed"
            elif before is not False and after != {}:
                yield from self._compare(before, after, f"{path}[{name}]", depth + 1)
        patterns = set(new.get("patternProperties", {}))
        for pattern, child in old.get("patternProperties", {}).items():
            if pattern not in patterns:
                yield f"{path}: names of the pattern {pattern!r} are no longer allowed"
            else:
                yield from self._compare(child, new["patternProperties"][pattern], f"{path}{{}}", depth + 1)


def _type(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "type" in new and not (old.get("type") == new["type"] or _widened(old.get("type"), new["type"])):
        yield f"{path}: type {old.get('type', 'any')} became {new['type']}"


def _widened(old: object, new: object) -> bool:
    return (old, new) == ("integer", "number")


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    after = _allowed(new)
    if after is None:
        return
    before = _allowed(old)
    if before is None:
        yield f"{path}: any value was allowed, now only {after}"
    else:
        yield from (
            f"{path}: the value {value!r} is no longer allowed" for value in before if value not in after
        )


def _allowed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for name in LOWER_BOUNDS:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{path}: {name} rose from {old.get(name)} to {new[name]}"
    for name in UPPER_BOUNDS:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{path}: {name} fell from {old.get(name)} to {new[name]}"
    for name in EXACT:
        if name in new and new[name] != old.get(name):
            yield f"{path}: {name} changed from {old.get(name)!r} to {new[name]!r}"


def _child(schema: Schema, name: str) -> Any:
    """The schema of items or further properties: absent means that anything goes."""
    child = schema.get(name, {})
    return {} if child is True else child


def _resolved(schema: Schema, root: Schema) -> Schema:
    for _ in range(DEPTH_MAX):
        if "$ref" not in schema:
            return schema
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    raise AssertionError(f"$ref leads in a circle: {schema['$ref']}")
