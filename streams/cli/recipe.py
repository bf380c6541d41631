"""`pressline recipe`: list, check and show recipes, and begin a new one from a table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from processors import standing_in
from processors.errors import InvalidInputsError, InvalidRecipeError
from processors.recipe import CompiledRecipe
from processors.recipe_findings import findings
from processors.recipe_scaffold import scaffold
from schemas.recipe import Step
from streams.cli.exits import WorkFailedError, exit_codes
from streams.load_check import Check, RowReader, check_rows
from streams.load_rows import CsvFile, RowsFileError, open_rows
from streams.load_templates import RowTemplates
from streams.recipes import RecipeFolder, read_recipe
from streams.settings import Settings

SHOWN_MAX = 20
SAMPLE_ROWS = 1000
"""Rows that a new recipe's types and key are taken from."""


@click.group("recipe")
def command() -> None:
    """Recipes: list, check, show, and begin a new one from a table."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(*, as_json: bool) -> None:
    """Show every recipe."""
    with exit_codes():
        recipes = RecipeFolder(Settings.load().recipes).read()
    if as_json:
        for recipe in recipes:
            click.echo(json.dumps(_plain(recipe)))
        return
    table = Table("Recipe", "Version", "Site", "Steps", "Description")
    for recipe in recipes:
        plain = _plain(recipe)
        table.add_row(
            *(Text(str(plain[name])) for name in ("name", "version", "site", "steps", "description"))
        )
    Console().print(table)


@command.command("check")
@click.argument("recipes", nargs=-1, metavar="[NAME|FOLDER]...")
@click.option(
    "--rows",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or JSON lines: check every row and what templates make of it; show the first's prompt.",
)
def check(recipes: tuple[str, ...], *, rows: Path | None) -> None:
    """Compile recipes, all of them or those named by name or folder."""
    with exit_codes():
        found = _tell(list(_named(recipes) if recipes else _all()))
        if rows is not None:
            if len(found) != 1:
                raise click.UsageError(f"--rows is for one recipe, {len(found)} were found; name one")
            _check_rows(found[0], rows)


@command.command("show")
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--json", "as_json", is_flag=True, help="The whole configuration as one JSON object.")
def show(name: str, *, as_json: bool) -> None:
    """Show a recipe: its version, inputs, steps and files."""
    with exit_codes():
        recipe = _find(name)
    if as_json:
        click.echo(json.dumps({"version": recipe.version} | recipe.recipe.model_dump(mode="json")))
        return
    Console().print(_table(recipe))


@command.command("new")
@click.argument("name")
@click.option(
    "--from",
    "rows",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV whose columns become the inputs.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("recipes"),
    show_default=True,
    help="Folder that the recipe's folder is made in.",
)
def new(name: str, *, rows: Path, out: Path) -> None:
    """Make the folder of a recipe that works as it is, from the columns of a table."""
    folder = out / name
    with exit_codes():
        try:
            columns, cut = _columns(rows)
            files = scaffold(name, columns)
        except InvalidInputsError as error:
            raise WorkFailedError(str(error)) from None
        _write(folder, files)
        recipe = read_recipe(folder)
    if cut:
        click.echo(
            f"types, key and optional columns are those of the first {SAMPLE_ROWS:,} rows; "
            "the check goes through all of them"
        )
    click.echo(f"{recipe.ref} in {folder}; now: pressline recipe check {folder} --rows {rows}")


def _all() -> Iterator[CompiledRecipe | Exception]:
    each = RecipeFolder(Settings.load().recipes).read_each()
    yield from (recipe for _, recipe in sorted(each, key=itemgetter(0)))


def _named(names: Sequence[str]) -> Iterator[CompiledRecipe | Exception]:
    for name in names:
        try:
            yield _find(name)
        except (InvalidRecipeError, WorkFailedError) as error:
            yield error


def _tell(each: Sequence[CompiledRecipe | Exception]) -> Sequence[CompiledRecipe]:
    """Show what each recipe is like, and return them; raise when any is faulty, at the end."""
    good = [recipe for recipe in each if isinstance(recipe, CompiledRecipe)]
    for recipe in each:
        if isinstance(recipe, CompiledRecipe):
            _tell_good(recipe)
        elif len(each) == 1:
            # Nothing else is to be told: its own error is the command's, with its exit code.
            raise recipe
        else:
            click.echo(str(recipe))
    if len(good) < len(each):
        raise WorkFailedError(f"{len(each) - len(good)} of {len(each)} recipes are faulty")
    return good


def _tell_good(recipe: CompiledRecipe) -> None:
    to_mend = findings(recipe)
    click.echo(f"{recipe.ref}: {f'compiles, {len(to_mend)} findings' if to_mend else 'good'}")
    for line in to_mend:
        click.echo(f"  {line}")


def _table(recipe: CompiledRecipe) -> Table:
    schema = recipe.schemas[recipe.recipe.inputs]
    optional = dict.fromkeys(schema.optional, " (optional)")
    rows = [
        ("Description", recipe.recipe.description),
        ("Key", recipe.recipe.key),
        *(("Input", f"{name}{optional.get(name, '')}") for name in schema.properties),
        *(("Step", f"{step.name}: {_asks(step)}, answers {step.output}") for step in recipe.recipe.steps),
        *(("Check", rule.check) for rule in recipe.recipe.checks),
        ("Files", ", ".join(sorted(recipe.files))),
    ]
    table = Table("Recipe", recipe.ref)
    for name, text in rows:
        # As Text: square brackets in it are no markup.
        table.add_row(name, Text(text))
    return table


def _asks(step: Step) -> str:
    return step.prompt or " + ".join(part.template for part in step.parts)


def _find(name: str) -> CompiledRecipe:
    folder = Path(name)
    if folder.is_dir():
        return read_recipe(folder)
    each = sorted(RecipeFolder(Settings.load().recipes).read_each(), key=itemgetter(0))
    for found, recipe in each:
        # Only what is wrong with this one is of interest: another may be half written.
        if isinstance(recipe, InvalidRecipeError) and found == name.partition("@")[0]:
            raise recipe
    recipes = [recipe for _, recipe in each if isinstance(recipe, CompiledRecipe)]
    for recipe in recipes:
        if name in {recipe.recipe.name, recipe.ref}:
            return recipe
    known = ", ".join(recipe.ref for recipe in recipes[:SHOWN_MAX])
    raise WorkFailedError(f"{name!r} is no folder and no recipe; there is {known}")


def _check_rows(recipe: CompiledRecipe, path: Path) -> None:
    reader = RowReader(file=open_rows(path), recipe=recipe, renames={})
    found = check_rows(reader, lambda _rows: None, lambda _row: None, RowTemplates(recipe=recipe).faults)
    for fault in found.faults:
        click.echo(f"row {fault.row} (line {fault.line}): {fault.text}")
    click.echo(f"{found.rows:,} rows checked, {len(found.rejected):,} with faults")
    _check_templates(reader, found)
    _show_first(reader, found)
    if found.rejected:
        raise WorkFailedError(f"{len(found.rejected):,} of {found.rows:,} rows have faults")


def _check_templates(reader: RowReader, found: Check) -> None:
    """Show where what stands in for a model's answer is no valid answer, for the first such rows."""
    faults = (
        f"row {row.number} (line {row.line}): {fault}"
        for row in reader.rows()
        if row.number not in found.rejected
        for fault in standing_in.faults_of(reader.recipe, row.inputs)
    )
    shown = list(islice(faults, SHOWN_MAX))
    for fault in shown:
        click.echo(fault)
    if shown:
        raise WorkFailedError(f"{reader.recipe.ref}: templates make answers that do not fit their schemas")


def _show_first(reader: RowReader, found: Check) -> None:
    first = next((row for row in reader.rows() if row.number not in found.rejected), None)
    if first is None:
        return
    recipe = reader.recipe
    prompt = recipe.prompt(recipe.recipe.steps[0], first.inputs, {}, ())
    click.echo(f"\nrow {first.number}, key {first.key}")
    if prompt.system is not None:
        click.echo(f"\n--- system\n{prompt.system}")
    click.echo(f"\n--- user\n{prompt.user}")


def _columns(path: Path) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Return the samples of each column, and whether the file has more rows than these."""
    file = open_rows(path)
    if not isinstance(file, CsvFile):
        raise RowsFileError(f"{path}: a recipe begins from CSV with a header")
    first = list(islice(file.rows(), SAMPLE_ROWS + 1))
    rows = [row.values for row in first[:SAMPLE_ROWS] if not row.fault]
    return {c: tuple(str(row[c]) for row in rows) for c in file.columns}, len(first) > SAMPLE_ROWS


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise WorkFailedError(f"{folder} is there already; choose another name or --out") from None
    except OSError as error:
        raise WorkFailedError(f"{folder} cannot be written: {error.strerror}") from error


def _plain(recipe: CompiledRecipe) -> dict[str, object]:
    return {
        "name": recipe.recipe.name,
        "version": recipe.version,
        "site": recipe.recipe.site,
        "steps": len(recipe.recipe.steps),
        "description": recipe.recipe.description,
    }
