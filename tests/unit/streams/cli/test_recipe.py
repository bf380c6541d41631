"""`pressline recipe check` and `show` of a recipe that works and yet has something to be mended."""

from pathlib import Path

from click.testing import CliRunner

from processors.recipe_scaffold import scaffold
from streams.cli.recipe import command

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


def invoked(*arguments: str | Path) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
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
