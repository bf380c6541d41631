"""Recipes compiled: templates and schemas ready to use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import JsonValue, TypeAdapter, ValidationError

from processors import answers, rows, slugs, strict_yaml
from processors.checks import CompiledCheck, compile_checks
from processors.errors import InvalidInputsError, InvalidOutputError, InvalidRecipeError
from processors.facts import facts_block
from processors.json_schemas import JsonSchema, compile_schema
from processors.prompt import Prompt, PromptPart, joined
from processors.recipe_version import content_version
from processors.templates import JINJA_WORDS, RecipeTemplate, Scope, compile_template
from schemas.codec import InvalidMessageError, decode
from schemas.events import Document
from schemas.recipe import Recipe, Step
from schemas.task import INPUTS_MAX, InputName

RECIPE_FILE = "recipe.yaml"
FILES_MAX = 100
FILE_BYTES_MAX = 262_144
OWN_NAMES = frozenset({"steps", "facts"})
TAKEN_NAMES = OWN_NAMES | JINJA_WORDS
FAULTS = "faults"
"""Name of the part that says what was wrong with the page before."""

INPUT_NAME: TypeAdapter[str] = TypeAdapter(InputName)

Inputs = Mapping[str, JsonValue]
Outputs = Mapping[str, Mapping[str, JsonValue]]
"""The answer of each finished step, by the step's name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompiledRecipe:
    """A recipe with its templates and schemas compiled.

    Attributes:
        recipe: the configuration.
        version: 12 hex digits over the content of the folder's files.
        files: that content, by file name.
        schemas: compiled JSON Schemas, by file name.
        templates: compiled templates, by place: a file name, or `recipe.yaml: page.title` for one in there.
        checks: what each page must pass, ready to run.
    """

    recipe: Recipe
    version: str
    files: Mapping[str, bytes]
    schemas: Mapping[str, JsonSchema]
    templates: Mapping[str, RecipeTemplate]
    checks: tuple[CompiledCheck, ...]

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.recipe.name}@{self.version}"

    def cast_row(self, row: Mapping[str, str]) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
        """Return a CSV row's inputs, and what could not be cast; see `rows.cast_row`."""
        return rows.cast_row(self._inputs, row)

    def check_inputs(self, inputs: Inputs) -> tuple[str, ...]:
        """Return what is wrong with the inputs, a line for each fault; see `JsonSchema.errors`."""
        return self._inputs.errors(inputs)

    def missing_inputs(self, inputs: Inputs) -> tuple[str, ...]:
        """Return the optional inputs that are absent or empty."""
        return tuple(name for name in self._inputs.optional if inputs.get(name) in (None, "", [], {}))

    def row_key(self, inputs: Inputs) -> str:
        """Return the row's identity inside the recipe; see `slugs.row_key`.

        Raises:
            InvalidInputsError: the key is blank for these inputs.
            InvalidRecipeError: the template failed on them.
        """
        try:
            return slugs.row_key(self.key_text(inputs))
        except ValueError as error:
            raise InvalidInputsError(f"{self.ref}: {error}; expected inputs that tell rows apart") from None

    def key_text(self, inputs: Inputs) -> str:
        """Return what the key renders to, before it becomes an identifier.

        Raises:
            InvalidRecipeError: the template failed on those inputs.
        """
        return self._render("key", inputs)

    def prompt(self, step: Step, inputs: Inputs, outputs: Outputs, feedback: Sequence[str]) -> Prompt:
        """Return the step's prompt.

        Args:
            step: which step.
            inputs: the task's inputs, valid for the schema.
            outputs: answers of the steps before it.
            feedback: what was wrong with the page that this run replaces; empty in a first run.

        Raises:
            InvalidRecipeError: a template failed on those values.
        """
        values = {**inputs, "facts": facts_block(inputs), "steps": outputs}
        faults = "\n".join(f"- {fault}" for fault in feedback)
        again = f"Your last page had these faults. Write it again without them:\n{faults}" if faults else ""
        system = self.templates[step.system].render(values) if step.system else None
        if step.prompt is not None:
            user = self.templates[step.prompt].render(values)
            return Prompt(system=system, user=f"{user}\n\n{again}\n" if again else user)
        parts = tuple(self._parts(step, values))
        parts += (PromptPart(name=FAULTS, text=again),) if again else ()
        return Prompt(system=system, user=joined(parts), parts=parts)

    def _parts(self, step: Step, values: Mapping[str, object]) -> Iterator[PromptPart]:
        for part in sorted(step.parts, key=lambda part: not part.stable):
            if text := self.templates[part.template].render(values).strip():
                yield PromptPart(
                    name=part.name,
                    text=text,
                    priority=part.priority,
                    trim=part.trim,
                    tokens_max=part.tokens_max,
                    stable=part.stable,
                )

    def answer_schema(self, step: Step) -> Mapping[str, JsonValue]:
        """Return the JSON Schema of the step's answer."""
        return self.schemas[step.output].document

    def parse_output(self, step: Step, text: str) -> answers.Parsed:
        """Return the step's answer, or None and what is wrong with it; see `answers.parse_answer`."""
        return answers.parse_answer(text, self.schemas[step.output])

    def document(self, inputs: Inputs, outputs: Outputs, *, simulated: bool) -> Document:
        """Return the page.

        Raises:
            InvalidOutputError: a field of the page is empty or too long.
            InvalidRecipeError: a template failed.
        """
        page = self.recipe.page
        values = {**inputs, "steps": outputs}
        try:
            return Document(
                slug=self._slug(inputs, outputs),
                title=_one_line(self._render("page.title", values)),
                description=_one_line(self._render("page.description", values)) if page.description else "",
                body=self.templates[page.body].render(values),
                data={name: self._render(f"page.data.{name}", values) for name in page.data},
                simulated=simulated,
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise InvalidOutputError(f"{self.ref}: the page's {field}: {first['msg']}") from None

    def early_slug(self, inputs: Inputs) -> str | None:
        """Return the page's slug, known before an answer is bought, or None: it uses the answers.

        Raises:
            InvalidRecipeError: the template failed on those inputs.
        """
        uses = self.templates[_place("page.slug")].uses
        return None if "steps" in uses else self._slug(inputs, {})

    def _slug(self, inputs: Inputs, outputs: Outputs) -> str:
        text = self._render("page.slug", {**inputs, "steps": outputs})
        return slugs.slugify(text) or slugs.slugify(self.row_key(inputs))

    @property
    def _inputs(self) -> JsonSchema:
        return self.schemas[self.recipe.inputs]

    def _render(self, field: str, values: Mapping[str, object]) -> str:
        return self.templates[_place(field)].render(values)


def compile_recipe(files: Mapping[str, bytes]) -> CompiledRecipe:
    """Return the recipe that a folder's files make.

    Args:
        files: content by file name, RECIPE_FILE among them.

    Raises:
        InvalidRecipeError: names the file, the place in it, what was seen and what was expected.
    """
    _check_sizes(files)
    recipe = _configuration(files)
    checks = _checks(recipe)
    names = {recipe.inputs, *(step.output for step in recipe.steps)}
    schemas = {name: compile_schema(name, _file(files, name)) for name in sorted(names)}
    inputs = _input_names(recipe.inputs, schemas[recipe.inputs])
    return CompiledRecipe(
        recipe=recipe,
        version=content_version(files),
        files=dict(files),
        schemas=schemas,
        templates=_step_templates(recipe, files, inputs) | _page_templates(recipe, files, inputs),
        checks=checks,
    )


def _check_sizes(files: Mapping[str, bytes]) -> None:
    if len(files) > FILES_MAX:
        raise InvalidRecipeError(f"{len(files)} files, at most {FILES_MAX} are allowed")
    for name, content in files.items():
        if len(content) > FILE_BYTES_MAX:
            raise InvalidRecipeError(f"{name}: {len(content)} bytes, at most {FILE_BYTES_MAX} are allowed")


def _configuration(files: Mapping[str, bytes]) -> Recipe:
    try:
        data = strict_yaml.load(_file(files, RECIPE_FILE))
        # By way of JSON: in strict mode a list is no tuple and a word is no enum, unless it comes from JSON.
        return decode(orjson.dumps(data), Recipe)
    except (InvalidMessageError, TypeError, ValueError) as error:
        raise InvalidRecipeError(f"{RECIPE_FILE}: {error}") from None


def _checks(recipe: Recipe) -> tuple[CompiledCheck, ...]:
    """A wrong check must be found here: found by stage validate, each page was already paid for."""
    try:
        return compile_checks(recipe.checks)
    except InvalidRecipeError as error:
        raise InvalidRecipeError(f"{RECIPE_FILE}: checks: {error}") from None


def _input_names(file: str, schema: JsonSchema) -> frozenset[str]:
    names = frozenset(schema.properties)
    if len(names) > INPUTS_MAX:
        raise InvalidRecipeError(f"{file}: {len(names)} properties, at most {INPUTS_MAX} are allowed")
    for name in sorted(names):
        try:
            INPUT_NAME.validate_python(name)
        except ValidationError:
            raise InvalidRecipeError(
                f"{file}: properties.{name[:100]}: not an input's name; expected letters, digits, underscores"
            ) from None
    if taken := names & TAKEN_NAMES:
        raise InvalidRecipeError(f"{file}: properties.{min(taken)}: the name is taken; rename the input")
    return names


def _step_templates(
    recipe: Recipe, files: Mapping[str, bytes], inputs: frozenset[str]
) -> dict[str, RecipeTemplate]:
    """Prompts and stand-ins, each checked against the steps before the first step that uses it."""
    templates: dict[str, RecipeTemplate] = {}
    finished: frozenset[str] = frozenset()
    for step in recipe.steps:
        scope = Scope(names=inputs | OWN_NAMES, steps=finished)
        for name in filter(
            None, (step.prompt, step.system, step.template, *(part.template for part in step.parts))
        ):
            if name not in templates:
                templates[name] = compile_template(name, _text(files, name), scope)
        finished |= {step.name}
    return templates


def _page_templates(
    recipe: Recipe, files: Mapping[str, bytes], inputs: frozenset[str]
) -> dict[str, RecipeTemplate]:
    page = recipe.page
    scope = Scope(names=inputs | {"steps"}, steps=frozenset(step.name for step in recipe.steps))
    sources = {
        _place("page.slug"): page.slug,
        _place("page.title"): page.title,
        **({_place("page.description"): page.description} if page.description else {}),
        **{_place(f"page.data.{name}"): source for name, source in page.data.items()},
        page.body: _text(files, page.body),
    }
    templates = {place: compile_template(place, source, scope) for place, source in sources.items()}
    key = compile_template(_place("key"), recipe.key, Scope(names=inputs))
    return templates | {key.place: key}


def _place(field: str) -> str:
    return f"{RECIPE_FILE}: {field}"


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise InvalidRecipeError(f"{name}: no such file; there is {', '.join(sorted(files)) or 'none'}")
    return files[name]


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return _file(files, name).decode()
    except UnicodeDecodeError as error:
        raise InvalidRecipeError(f"{name}: byte {error.start} is not UTF-8") from None


def _one_line(text: str) -> str:
    return " ".join(text.split())
