from processors.errors import UnknownRecipeError
from processors.recipe import CompiledRecipe


class FakeRecipeBook:
    """RecipeBook over compiled recipes; of several versions of a name the last is the current one."""

    def __init__(self, *recipes: CompiledRecipe) -> None:
        self._recipes = {ref: recipe for recipe in recipes for ref in (recipe.ref, recipe.recipe.name)}

    async def get(self, ref: str) -> CompiledRecipe:
        if ref not in self._recipes:
            raise UnknownRecipeError(f"no recipe {ref!r}; there is {', '.join(self._recipes)}")
        return self._recipes[ref]
