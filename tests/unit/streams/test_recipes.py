import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from processors.errors import InvalidRecipeError, UnknownRecipeError
from processors.recipe import FILE_BYTES_MAX, FILES_MAX
from processors.recipe_scaffold import scaffold
from streams.recipes import KNOWN_SHOWN_MAX, OLD_VERSIONS_MAX, FolderRecipeBook, RecipeFolder, read_recipe

SHIPPED = Path(__file__).parents[3] / "recipes"


class MemoryRecipeStore:
    """RecipeStore in memory; it counts what it is asked for."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, bytes]] = {}
        self.asked = 0

    async def get(self, name: str, version: str) -> Mapping[str, bytes] | None:
        self.asked += 1
        return self.kept.get(f"{name}@{version}")

    async def put(self, name: str, version: str, files: Mapping[str, bytes]) -> None:
        self.kept.setdefault(f"{name}@{version}", files)


def put_recipe(parent: Path, name: str = "notes", system: str = "You write.\n") -> Path:
    folder = parent / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in (scaffold(name, {"topic": ("tea", "milk")}) | {"system.j2": system}).items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def test_the_shipped_recipes_compile() -> None:
    assert [recipe.recipe.name for recipe in RecipeFolder((SHIPPED,)).read()] == [
        "city-guide",
        "flight-route",
    ]


@pytest.mark.parametrize(("name", "count"), [("flight-route", 500), ("city-guide", 200)])
def test_every_row_that_is_shipped_is_valid_and_distinct(name: str, count: int) -> None:
    folder = SHIPPED / name
    recipe = read_recipe(folder)
    with (folder / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = [recipe.cast_row(row) for row in csv.DictReader(file)]

    assert all(not errors and not recipe.check_inputs(inputs) for inputs, errors in rows)
    assert all(not recipe.missing_inputs(inputs) for inputs, _ in rows)
    assert len({recipe.row_key(inputs) for inputs, _ in rows}) == len(rows) == count


def test_a_path_is_a_recipe_or_a_folder_of_recipes(tmp_path: Path) -> None:
    put_recipe(tmp_path / "many", "b")
    put_recipe(tmp_path / "many", "a")
    single = put_recipe(tmp_path / "single", "c")

    recipes = RecipeFolder((single, tmp_path / "many")).read()

    assert [recipe.recipe.name for recipe in recipes] == ["a", "b", "c"]


def test_rows_and_notes_beside_a_recipe_do_not_change_its_version(tmp_path: Path) -> None:
    folder = put_recipe(tmp_path)
    before = read_recipe(folder)

    (folder / "rows.csv").write_text("topic\ntea\n")
    (folder / "NOTICE.md").write_text("Mine.\n")

    assert read_recipe(folder).version == before.version
    assert "rows.csv" not in before.files


def test_a_wrong_recipe_names_its_folder_and_file(tmp_path: Path) -> None:
    folder = put_recipe(tmp_path)
    (folder / "write.j2").write_text("{{ colour }}")

    with pytest.raises(InvalidRecipeError, match=r"notes: write.j2: unknown variable colour"):
        RecipeFolder((tmp_path,)).read()


def test_a_recipe_bears_its_folders_name(tmp_path: Path) -> None:
    folder = put_recipe(tmp_path).rename(tmp_path / "other")

    with pytest.raises(InvalidRecipeError, match=r"recipe.yaml: name is 'notes', not the folder's"):
        read_recipe(folder)


def test_two_recipes_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipeError, match="another recipe of that name"):
        RecipeFolder((put_recipe(tmp_path / "x"), put_recipe(tmp_path / "y"))).read()


def test_a_path_without_recipes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipeError, match=r"0 folders with a recipe.yaml, expected 1 to"):
        RecipeFolder((tmp_path,)).read()


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = put_recipe(tmp_path)
    (folder / "system.j2").write_bytes(b"x" * (FILE_BYTES_MAX + 10))

    with pytest.raises(InvalidRecipeError, match=f"system.j2: .* at most {FILE_BYTES_MAX}"):
        read_recipe(folder)
    for number in range(FILES_MAX):
        (folder / f"x{number}.j2").touch()
    with pytest.raises(InvalidRecipeError, match=f"at most {FILES_MAX} are allowed"):
        read_recipe(folder)


async def test_a_name_gives_the_current_version(tmp_path: Path) -> None:
    current = read_recipe(put_recipe(tmp_path))
    book = FolderRecipeBook((current,))

    assert await book.get("notes") is current
    assert await book.get(current.ref) is current
    assert book.current == (current,)


async def test_an_older_version_comes_from_the_store_and_is_compiled_once(tmp_path: Path) -> None:
    old = read_recipe(put_recipe(tmp_path))
    store = MemoryRecipeStore()
    await FolderRecipeBook((old,), store).keep_current()
    book = FolderRecipeBook((read_recipe(put_recipe(tmp_path, system="You write well.\n")),), store)

    first = await book.get(old.ref)
    second = await book.get(old.ref)

    assert first is second
    assert first.version == old.version
    assert store.asked == 1


async def test_a_recipe_that_left_the_disk_is_still_found_by_version(tmp_path: Path) -> None:
    old = read_recipe(put_recipe(tmp_path))
    store = MemoryRecipeStore()
    await store.put("notes", old.version, old.files)

    assert (await FolderRecipeBook((), store).get(old.ref)).ref == old.ref


async def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    recipes = tuple(read_recipe(put_recipe(tmp_path, f"r{number}")) for number in range(KNOWN_SHOWN_MAX + 1))

    with pytest.raises(UnknownRecipeError, match=r"no recipe is named 'nets'; there is r0@.* and 1 more"):
        await FolderRecipeBook(recipes).get("nets")
    with pytest.raises(UnknownRecipeError, match="there is none"):
        await FolderRecipeBook(()).get("notes")


async def test_an_unknown_version_is_refused_with_and_without_a_store(tmp_path: Path) -> None:
    recipe = read_recipe(put_recipe(tmp_path))

    for store in (None, MemoryRecipeStore()):
        book = FolderRecipeBook((recipe,), store)
        await book.keep_current()
        with pytest.raises(
            UnknownRecipeError, match=r"no recipe notes@000000000000 is kept; current are notes@"
        ):
            await book.get("notes@000000000000")


async def test_stored_files_that_were_changed_are_refused(tmp_path: Path) -> None:
    recipe = read_recipe(put_recipe(tmp_path))
    store = MemoryRecipeStore()
    store.kept["notes@000000000000"] = recipe.files

    with pytest.raises(InvalidRecipeError, match="its files were changed"):
        await FolderRecipeBook((), store).get("notes@000000000000")


async def test_old_versions_in_memory_are_bounded(tmp_path: Path) -> None:
    store = MemoryRecipeStore()
    recipes = [
        read_recipe(put_recipe(tmp_path, system=f"Version {number}.\n"))
        for number in range(OLD_VERSIONS_MAX + 1)
    ]
    book = FolderRecipeBook((), store)

    for recipe in recipes:
        await store.put("notes", recipe.version, recipe.files)
        await book.get(recipe.ref)
    await book.get(recipes[-1].ref)
    await book.get(recipes[0].ref)

    assert store.asked == OLD_VERSIONS_MAX + 2
