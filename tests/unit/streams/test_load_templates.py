from pathlib import Path

import pytest

from processors.recipe import compile_recipe
from processors.recipe_scaffold import scaffold
from streams.load_check import Check, RowReader, check_rows
from streams.load_rows import open_rows
from streams.load_templates import RowTemplates

SLUG = '"langs-{{ name | slug }}"'


def checked(folder: Path, content: str, *, prompt: str = "{{ facts }}", slug: str = SLUG) -> Check:
    files = scaffold("langs", {"name": ("C", "Go"), "note": ("", "x")}) | {"write.j2": prompt}
    assert SLUG in files["recipe.yaml"]
    files["recipe.yaml"] = files["recipe.yaml"].replace(SLUG, slug)
    recipe = compile_recipe({name: text.encode() for name, text in files.items()})
    path = folder / "rows.csv"
    path.write_text(content, encoding="utf-8")
    reader = RowReader(file=open_rows(path), recipe=recipe, renames={})
    return check_rows(reader, lambda _rows: None, lambda _row: None, RowTemplates(recipe=recipe).faults)


def test_rows_that_templates_can_be_made_of_have_no_fault(tmp_path: Path) -> None:
    assert checked(tmp_path, "name,note\nC,x\nC++,\nC#,\n").good == 3


@pytest.mark.parametrize(("content", "bad"), [("name,note\nC,\nGo,x\n", 1), ("name,note\nC,x\nGo,\n", 2)])
def test_a_prompt_that_fails_is_a_fault_of_its_row(tmp_path: Path, content: str, bad: int) -> None:
    check = checked(tmp_path, content, prompt="{{ note | upper }}")

    assert check.rejected == {bad}
    assert [(fault.row, fault.line) for fault in check.faults] == [(bad, bad + 1)]
    assert check.faults[0].text == "write.j2: 'note' is undefined"


def test_a_slug_that_fails_is_a_fault_of_its_row(tmp_path: Path) -> None:
    check = checked(tmp_path, "name,note\nC,x\nGo,\n", slug='"{{ name }}-{{ note }}"')

    assert check.faults[0].text == "recipe.yaml: page.slug: 'note' is undefined"
    assert check.rejected == {2}


def test_two_rows_of_one_slug_are_found_with_both_numbers(tmp_path: Path) -> None:
    check = checked(tmp_path, "name\nC\nGo\nC++\n", slug='"lang-{{ name }}"')

    assert check.rejected == {3}
    assert check.faults[0].text.startswith("the same slug as row 1: lang-c; ")


def test_a_slug_of_answers_is_not_compared(tmp_path: Path) -> None:
    assert checked(tmp_path, "name\nC\nGo\n", slug='"{{ steps.write.title }}"').good == 2


def test_a_row_with_another_fault_is_rendered_no_further(tmp_path: Path) -> None:
    check = checked(tmp_path, "name,note\nC,x\nc,\n", prompt="{{ note }}")

    assert [fault.text.partition(":")[0] for fault in check.faults] == ["the same key as row 1"]
