"""Jinja2 templates of a recipe: sandboxed, checked when compiled, bounded when rendered."""

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from processors.errors import InvalidRecipeError
from processors.slugs import key_slug

RENDERED_CHARS_MAX = 200_000
JINJA_WORDS = frozenset({"true", "false", "none", "True", "False", "None", "not", "self"})
"""Words that mean something else in a template than a variable of that name."""
MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecipeTemplate:
    """A compiled template.

    Attributes:
        place: where in the recipe it stands, such as `write.j2` or `recipe.yaml: page.title`.
        template: the compiled form.
        uses: the variables that it reads, such as inputs, `facts` and `steps`.
    """

    place: str
    template: Template
    uses: frozenset[str]

    def render(self, values: Mapping[str, object]) -> str:
        """Return the text for those values.

        Raises:
            InvalidRecipeError: the template failed on them, or made more than RENDERED_CHARS_MAX characters.
        """
        parts: list[str] = []
        chars = 0
        try:
            for part in self.template.generate(values):
                parts.append(part)
                chars += len(part)
                if chars > RENDERED_CHARS_MAX:
                    break
        except TemplateError as error:
            raise InvalidRecipeError(f"{self.place}: {str(error.message)[:300]}") from None
        except Exception as error:  # noqa: BLE001 (a template is foreign code; its text may quote inputs)
            raise InvalidRecipeError(f"{self.place}: failed with {type(error).__name__}") from None
        if chars > RENDERED_CHARS_MAX:
            raise InvalidRecipeError(
                f"{self.place}: made more than {RENDERED_CHARS_MAX} characters; loop over less"
            )
        return "".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a template may use.

    Attributes:
        names: variables, by name.
        steps: steps that are finished when it is rendered, seen as `steps.<name>`.
    """

    names: frozenset[str]
    steps: frozenset[str] = frozenset()


def compile_template(place: str, source: str, scope: Scope) -> RecipeTemplate:
    """Return the compiled template.

    Raises:
        InvalidRecipeError: a syntax error, another template (a recipe's templates stand alone), a variable
            that is neither in `scope` nor set in the template, or a step that is not finished by then.
    """
    try:
        tree = ENVIRONMENT.parse(source)
        template = ENVIRONMENT.from_string(tree)
    except TemplateSyntaxError as error:
        raise InvalidRecipeError(f"{place}: line {error.lineno}: {error.message}") from None
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise InvalidRecipeError(f"{place}: includes another template; write it out, each stands alone")
    uses = frozenset(meta.find_undeclared_variables(tree)) - set(ENVIRONMENT.globals)
    if unknown := uses - scope.names:
        raise InvalidRecipeError(
            f"{place}: unknown variable {', '.join(sorted(unknown))}; "
            f"known are {', '.join(sorted(scope.names))}"
        )
    unfinished = _used(tree) - scope.steps
    if unfinished:
        raise InvalidRecipeError(
            f"{place}: steps.{', steps.'.join(sorted(unfinished))} is not finished by then; "
            f"finished are {', '.join(sorted(scope.steps)) or 'none'}"
        )
    return RecipeTemplate(place=place, template=template, uses=uses)


def steps_used(source: str) -> set[str]:
    """Return the steps whose answers a template of good syntax uses."""
    return _used(ENVIRONMENT.parse(source))


def _used(tree: nodes.Template) -> set[str]:
    return {
        node.attr
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "steps"
    }


def cell(value: object) -> str:
    """Return `value` as one line of plain text inside a Markdown table: filter `cell`."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(text.split()))


class _RecipeEnvironment(ImmutableSandboxedEnvironment):
    # One short expression of these can fill the memory before any cap on the output sees it.
    intercepted_binops = frozenset({"*", "**"})

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        # A dict in place of a chain of them, which every rendering would go through name by name.
        return {**self.globals, **(d or {})}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError(f"{operator} is for two numbers, and ** is not allowed")
        return super().call_binop(context, operator, left, right)


def _environment() -> _RecipeEnvironment:
    environment = _RecipeEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # prompts and Markdown are not HTML; what shows pages as HTML escapes
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A redelivered record must make the same prompt and page again.
    del environment.globals["lipsum"], environment.filters["random"]
    environment.filters |= {"cell": cell, "slug": key_slug}
    return environment


ENVIRONMENT = _environment()
