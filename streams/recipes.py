"""Recipes from folders, and their older versions from a store."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from processors.errors import InvalidRecipeError, UnknownRecipeError
from processors.recipe import FILE_BYTES_MAX, FILES_MAX, RECIPE_FILE, CompiledRecipe, compile_recipe

RECIPES_MAX = 1000
OLD_VERSIONS_MAX = 100
KNOWN_SHOWN_MAX = 20
SUFFIXES = frozenset({".yaml", ".j2", ".json"})
"""What a recipe consists of; rows, notices and notes beside it do not change its version."""


class RecipeStore(Protocol):
    """Recipes by version, kept for the tasks that are bound to one."""

    async def get(self, name: str, version: str) -> Mapping[str, bytes] | None:
        """Return the files of that version, or None.

        Raises:
            StoreUnavailableError: the store is away.
        """

    async def put(self, name: str, version: str, files: Mapping[str, bytes]) -> None:
        """Keep the files of that version; one that is there already stays as it is.

        Raises:
            StoreUnavailableError: the store is away.
        """


@dataclass(frozen=True, slots=True)
class RecipeFolder:
    """Recipes on disk.

    Attributes:
        paths: each a recipe's folder, or a folder of recipes' folders.
    """

    paths: tuple[Path, ...]

    def read(self) -> tuple[CompiledRecipe, ...]:
        """Return all recipes, by name.

        Raises:
            InvalidRecipeError: a path holds no recipe or too many, a recipe is wrong, its name is not its
                folder's, or two have one name.
        """
        recipes: dict[str, CompiledRecipe] = {}
        for name, recipe in self.read_each():
            if isinstance(recipe, InvalidRecipeError):
                raise recipe
            recipes[name] = recipe
        return tuple(recipes[name] for name in sorted(recipes))

    def read_each(self) -> Iterator[tuple[str, CompiledRecipe | InvalidRecipeError]]:
        """Yield the name of each recipe's folder with the recipe, or with what is wrong with that one.

        Raises:
            InvalidRecipeError: a path holds no recipe or too many.
        """
        names: set[str] = set()
        for path in self.paths:
            for folder in _recipe_folders(path):
                name = folder.resolve().name
                yield name, _read_other(folder, names)
                names.add(name)


def read_recipe(folder: Path) -> CompiledRecipe:
    """Return the recipe that `folder` holds.

    Raises:
        InvalidRecipeError: it cannot be read, is too large, does not compile, or has another name.
    """
    try:
        recipe = compile_recipe(_read_files(folder))
    except (InvalidRecipeError, OSError) as error:
        raise InvalidRecipeError(f"{folder}: {error}") from None
    if recipe.recipe.name != folder.resolve().name:
        raise InvalidRecipeError(f"{folder}: {RECIPE_FILE}: name is {recipe.recipe.name!r}, not the folder's")
    return recipe


class FolderRecipeBook:
    """RecipeBook over the current versions, as they were on disk at the start, and a store of older ones."""

    def __init__(self, current: tuple[CompiledRecipe, ...], store: RecipeStore | None = None) -> None:
        self._current = {recipe.recipe.name: recipe for recipe in current}
        self._store = store
        self._old: dict[str, CompiledRecipe] = {}

    @property
    def current(self) -> tuple[CompiledRecipe, ...]:
        """The current version of each recipe."""
        return tuple(self._current.values())

    async def keep_current(self) -> None:
        """Put the current versions into the store, so that other workers and later starts find them.

        Raises:
            StoreUnavailableError: the store is away.
        """
        if self._store is not None:
            for recipe in self._current.values():
                await self._store.put(recipe.recipe.name, recipe.version, recipe.files)

    async def get(self, ref: str) -> CompiledRecipe:
        """Return the recipe that `ref` (`name` or `name@version`) names; without a version, the current one.

        Raises:
            UnknownRecipeError: no such name, or no such version.
            InvalidRecipeError: the stored version is not what its version says, or no longer compiles.
            StoreUnavailableError: an older version is asked for and the store is away.
        """
        name, _, version = ref.partition("@")
        current = self._current.get(name)
        if current is not None and version in ("", current.version):
            return current
        if ref in self._old:
            return self._old[ref]
        if not version:
            raise UnknownRecipeError(f"no recipe is named {name!r}; there is {self._known()}")
        return await self._stored(name, version)

    async def _stored(self, name: str, version: str) -> CompiledRecipe:
        files = await self._store.get(name, version) if self._store else None
        if files is None:
            raise UnknownRecipeError(f"no recipe {name}@{version} is kept; current are {self._known()}")
        recipe = compile_recipe(files)
        if recipe.ref != f"{name}@{version}":
            raise InvalidRecipeError(f"the store's {name}@{version} is {recipe.ref}: its files were changed")
        if len(self._old) >= OLD_VERSIONS_MAX:
            del self._old[next(iter(self._old))]
        self._old[recipe.ref] = recipe
        return recipe

    def _known(self) -> str:
        refs = [recipe.ref for recipe in self._current.values()]
        more = len(refs) - KNOWN_SHOWN_MAX
        return (", ".join(refs[:KNOWN_SHOWN_MAX]) or "none") + (f" and {more} more" if more > 0 else "")


def _read_other(folder: Path, taken: Collection[str]) -> CompiledRecipe | InvalidRecipeError:
    try:
        recipe = read_recipe(folder)
    except InvalidRecipeError as error:
        return error
    if recipe.recipe.name in taken:
        return InvalidRecipeError(f"{folder}: there is another recipe of that name; rename one")
    return recipe


def _recipe_folders(path: Path) -> tuple[Path, ...]:
    if (path / RECIPE_FILE).is_file():
        return (path,)
    folders = tuple(sorted(file.parent for file in path.glob(f"*/{RECIPE_FILE}")))
    if not 1 <= len(folders) <= RECIPES_MAX:
        raise InvalidRecipeError(
            f"{path}: {len(folders)} folders with a {RECIPE_FILE}, expected 1 to {RECIPES_MAX}"
        )
    return folders


def _read_files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES and path.is_file()]
    if len(paths) > FILES_MAX:
        raise InvalidRecipeError(f"{len(paths)} files, at most {FILES_MAX} are allowed")
    return {path.name: _read_bounded(path) for path in paths}


def _read_bounded(path: Path) -> bytes:
    """One byte more than allowed is enough to be refused by size."""
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX + 1)
