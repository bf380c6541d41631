"""Recipes compiled: templates and schemas ready to use."""

from dataclasses import dataclass

from schemas.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRecipe:
    """A recipe with its templates and schemas compiled.

    Attributes:
        recipe: the configuration.
        version: 12 hex digits over the content of the folder's files.
    """

    recipe: Recipe
    version: str

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.recipe.name}@{self.version}"
