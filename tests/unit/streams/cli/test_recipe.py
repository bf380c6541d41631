"""`pressline recipe check` and `show` of a recipe that works and yet has something to be mended."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from processors.recipe_scaffold import scaffold
from streams.cli.recipe import SAMPLE_ROWS, command

PROMPT = "    prompt: write.j2\n"
PARTS = """\
    parts:
      - {name: write, template: write.j2}
      - {name: rules, template: rules.j2, stable: true}
"""


def a_folder(parent: Path, rules: str) -> Path:
    folder = parent / "trail"
    folder.mkdir()
    files = scaffold("trail", {"name": ("Alps", "Jura"), "length_km": ("1", "2")})
    files["recipe.yaml"] = files["recipe.yaml"].replace(PROMPT, PARTS)
    files["page.schema.json"] = files["page.schema.json"].replace(
        '"additionalProperties": false', '"title": ""'
    )
    for name, text in {**files, "rules.j2": rules}.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def invoked(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_check_tells_each_finding_and_that_it_compiles(tmp_path: Path) -> None:
    said = invoked("check", a_folder(tmp_path, "Write about {{ name }}.")).splitlines()

    assert said[0].endswith(": compiles, 2 findings")
    assert said[1].startswith("  rules.j2: stable part 'rules' of step 'write' uses name")
    assert said[2].startswith("  page.schema.json: the answer: additionalProperties is not false")


def test_check_shows_the_prompt_of_the_first_row_and_show_the_parts_templates(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "Be short.")
    rows = tmp_path / "rows.csv"
    rows.write_text("name,length_km\nAlps,7\n", "utf-8")

    assert "--- user\nBe short.\n\nWrite a page on what these facts describe." in invoked(
        "check", folder, "--rows", rows
    )
    assert "write: write.j2 + rules.j2, answers page.schema.json" in invoked("show", folder)


@pytest.mark.parametrize(
    ("content", "place"), [("a,\nb,7\n", "row 1 (line 2)"), ("a,7\nb,\n", "row 2 (line 3)")]
)
def test_check_names_the_row_that_a_prompt_fails_on(tmp_path: Path, content: str, place: str) -> None:
    folder = tmp_path / "trail"
    rows = tmp_path / "rows.csv"
    rows.write_text(f"name,km\n{content}", "utf-8")
    invoked("new", "trail", "--from", rows, "--out", tmp_path)
    (folder / "write.j2").write_text("{{ km + 1 }}", "utf-8")

    said = invoked("check", folder, "--rows", rows, code=1)

    assert f"{place}: write.j2: 'km' is undefined" in said
    assert "2 rows checked, 1 with faults" in said


@pytest.mark.parametrize(("count", "says"), [(SAMPLE_ROWS, False), (SAMPLE_ROWS + 1, True)])
def test_new_says_when_it_looked_at_some_rows_only(tmp_path: Path, count: int, *, says: bool) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("name\n" + "".join(f"n{number}\n" for number in range(count)), "utf-8")

    said = invoked("new", "trail", "--from", rows, "--out", tmp_path)

    assert (f"the first {SAMPLE_ROWS:,} rows" in said) == says
