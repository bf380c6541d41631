"""Checks: what must hold for a page, one check per file, all of one shape.

A check is a module with `NAME`, `Settings` (its settings, documented, each with a default) and
`check(page, settings)`, which is pure, takes time linear in the page, and returns what it saw.
A new one is a file and a line in `CHECKS`.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from processors.checks import (
    duplicate,
    grounded_names,
    grounded_numbers,
    leftovers,
    length,
    size,
    title_length,
)
from processors.checks.page import PageUnderCheck, page_under_check
from processors.errors import InvalidRecipeError
from schemas.codec import canonical
from schemas.events import Finding
from schemas.recipe import CheckRule

__all__ = ["CHECKS", "CompiledCheck", "PageUnderCheck", "compile_checks", "page_under_check"]

S = TypeVar("S", bound=BaseModel)
CompiledCheck = Callable[[PageUnderCheck], tuple[Finding, ...]]
Binder = Callable[[Mapping[str, JsonValue]], CompiledCheck]


def compile_checks(rules: Iterable[CheckRule]) -> tuple[CompiledCheck, ...]:
    """Return a function for each rule, after those that always run and that no rule sets.

    Args:
        rules: the recipe's checks, in order. A rule's severity replaces that of all findings of its check.

    Raises:
        InvalidRecipeError: no such check, or wrong settings; the text names the field.
    """
    rules = tuple(rules)
    named = {rule.check for rule in rules}
    always = tuple(CheckRule(check=name, severity=None) for name in ALWAYS if name not in named)
    return tuple(_compiled(rule) for rule in (*always, *rules))


def _bound(settings_type: type[S], check: Callable[[PageUnderCheck, S], tuple[Finding, ...]]) -> Binder:
    def bind(values: Mapping[str, JsonValue]) -> CompiledCheck:
        # Read as JSON: a list of the recipe's YAML is a tuple of the settings, yet no text becomes a number.
        settings = settings_type.model_validate_json(canonical(dict(values)))
        return lambda page: check(page, settings)

    return bind


CHECKS: Mapping[str, Binder] = MappingProxyType(
    {
        size.NAME: _bound(size.Settings, size.check),
        leftovers.NAME: _bound(leftovers.Settings, leftovers.check),
        length.NAME: _bound(length.Settings, length.check),
        grounded_numbers.NAME: _bound(grounded_numbers.Settings, grounded_numbers.check),
        grounded_names.NAME: _bound(grounded_names.Settings, grounded_names.check),
        title_length.NAME: _bound(title_length.Settings, title_length.check),
        duplicate.NAME: _bound(duplicate.Settings, duplicate.check),
    }
)
"""Every check, by name."""

ALWAYS = (size.NAME, leftovers.NAME, duplicate.NAME)
"""Checks that run for every recipe; a rule may give them settings or another severity."""


def _compiled(rule: CheckRule) -> CompiledCheck:
    if rule.check not in CHECKS:
        raise InvalidRecipeError(f"no check is named {rule.check!r}, expected one of {', '.join(CHECKS)}")
    try:
        run = CHECKS[rule.check](rule.settings)
    except ValidationError as error:
        raise InvalidRecipeError(_fault(rule.check, error)) from None
    severity = rule.severity
    if severity is None:
        return run
    return lambda page: tuple(found.model_copy(update={"severity": severity}) for found in run(page))


def _fault(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(map(str, first["loc"])) or "settings"
    return f"check {name}: settings.{field} is {first['input']!r:.80}: {first['msg']}"
