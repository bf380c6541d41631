"""`pressline recipe check` of several recipes tells of each, whatever is wrong with another."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from processors.recipe_scaffold import scaffold
from streams.cli.recipe import command

BROKEN = "name: [\n"


def put(folder: Path, text: str | None = None) -> Path:
    folder.mkdir(parents=True)
    files = scaffold(folder.name, {"name": ("Alps", "Jura"), "length_km": ("1", "2")})
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    if text is not None:
        (folder / "recipe.yaml").write_text(text, "utf-8")
    return folder


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "recipes"
    for name, text in (("a-bad", BROKEN), ("b-good", None), ("c-bad", "name: c-bad\n"), ("d-good", None)):
        put(folder / name, text)
    monkeypatch.setenv("PRESSLINE_RECIPES", str(folder))
    return folder


def checked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, ["check", *map(str, arguments)])


def told(result: Result, folder: Path) -> list[str]:
    lines = (line.removeprefix(f"{folder}/") for line in result.stdout.splitlines())
    return [line.partition("@")[0].partition(":")[0] for line in lines if not line.startswith(" ")]


def test_all_are_told_of_though_the_first_is_bad(recipes: Path) -> None:
    result = checked()

    assert told(result, recipes) == ["a-bad", "b-good", "c-bad", "d-good"]
    assert (result.exit_code, result.stderr) == (1, "pressline: 2 of 4 recipes are faulty\n")


def test_all_that_are_named_are_told_of_by_folder_and_by_name(recipes: Path) -> None:
    result = checked(recipes / "c-bad", "d-good", "a-bad", recipes / "b-good", "unknown")

    unknown = "'unknown' is no folder and no recipe; there is b-good"
    assert told(result, recipes) == ["c-bad", "d-good", "a-bad", "b-good", unknown]
    assert (result.exit_code, result.stderr) == (1, "pressline: 3 of 5 recipes are faulty\n")


def test_a_good_one_is_good_whatever_is_wrong_with_another(recipes: Path) -> None:
    result = checked("b-good")

    assert (result.exit_code, told(result, recipes)) == (0, ["b-good"])


@pytest.mark.parametrize("by_name", [True, False])
def test_one_alone_is_told_of_as_an_error(recipes: Path, *, by_name: bool) -> None:
    result = checked("a-bad" if by_name else recipes / "a-bad")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"pressline: {recipes / 'a-bad'}: recipe.yaml")


def test_two_of_one_name_are_a_fault(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = put(recipes.parent / "more" / "b-good")
    monkeypatch.setenv("PRESSLINE_RECIPES", f"{recipes}:{other}")

    every, named = checked(), checked("b-good")

    assert every.stdout.count("there is another recipe of that name") == 1
    assert (every.exit_code, named.exit_code) == (1, 2)


def test_rows_are_not_checked_with_several(recipes: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("name,length_km\nAlps,7\n", "utf-8")

    assert checked("--rows", rows, "b-good").exit_code == 0
    assert checked("--rows", rows, "b-good", "d-good").exit_code == 2
