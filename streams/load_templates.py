"""What a recipe's templates make of each row of a file, before an answer is bought."""

from dataclasses import dataclass, field

from processors.errors import InvalidRecipeError
from processors.recipe import CompiledRecipe
from streams.load_check import CheckedRow, first_row


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTemplates:
    """Renders what needs no answers, and remembers the slugs of one file.

    A load leaves this out: prompt and slug make its own check of a row, 140 µs, 100 µs longer.

    Attributes:
        recipe: the recipe.
        slug_rows: the first row of each slug, by the slug's digest.
    """

    recipe: CompiledRecipe
    slug_rows: dict[bytes, int] = field(default_factory=dict)

    def faults(self, row: CheckedRow) -> tuple[str, ...]:
        """Return what the templates cannot make of a row without faults, a line each."""
        return (*self._prompt_faults(row), *self._slug_faults(row))

    def _prompt_faults(self, row: CheckedRow) -> tuple[str, ...]:
        try:
            self.recipe.prompt(self.recipe.recipe.steps[0], row.inputs, {}, ())
        except InvalidRecipeError as error:
            return (str(error),)
        return ()

    def _slug_faults(self, row: CheckedRow) -> tuple[str, ...]:
        try:
            slug = self.recipe.early_slug(row.inputs)
        except InvalidRecipeError as error:
            return (str(error),)
        first = row.number if slug is None else first_row(slug, row.number, self.slug_rows)
        if first == row.number:
            return ()
        advice = "only one of the two can be published; add to page.slug what tells them apart"
        return (f"the same slug as row {first}: {slug}; {advice}",)
