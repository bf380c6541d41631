from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from processors.recipe import compile_recipe
from processors.recipe_scaffold import scaffold
from schemas.base import Lane, Risk
from streams.load_check import CheckedRow
from streams.load_rows import RowsFileError
from streams.load_tasks import (
    LoadOptionError,
    LoadOptions,
    TaskMaker,
    batch_prefix,
    check_unchanged,
    content_digest,
    new_batch,
    task_id,
)

OPTIONS = LoadOptions(
    tenant="acme",
    team="seo",
    feature="routes",
    site="flights",
    lane=Lane.BULK,
    priority=5,
    deadline=None,
    budget_usd=Decimal("0.05"),
    risk=Risk.LOW,
)
RECIPE = compile_recipe(
    {name: text.encode() for name, text in scaffold("notes", {"topic": ("tea", "milk")}).items()}
)
MAKER = TaskMaker(recipe=RECIPE, options=OPTIONS, batch_id="b1-1")
ROW = CheckedRow(number=3, line=4, inputs={"topic": "tea"}, key_text="tea")


def test_a_task_is_bound_to_load_row_and_recipe_version() -> None:
    task = MAKER.task(ROW)

    assert (task.recipe, task.batch_id, task.row) == (RECIPE.ref, "b1-1", 3)
    assert (task.tenant, task.target.site, task.budget_usd) == ("acme", "flights", Decimal("0.05"))
    assert task.inputs == {"topic": "tea"}


def test_a_page_has_one_id_in_every_load() -> None:
    later = replace(MAKER, batch_id="b2-9")

    assert later.task(replace(ROW, number=99)).task_id == MAKER.task(ROW).task_id


@pytest.mark.parametrize("change", [{"tenant": "other"}, {"site": "other"}])
def test_tenant_and_site_tell_pages_apart(change: dict[str, str]) -> None:
    assert task_id("notes", replace(OPTIONS, **change), "tea") != task_id("notes", OPTIONS, "tea")  # type: ignore[arg-type]


def test_the_same_command_has_the_same_batch_id() -> None:
    assert batch_prefix(RECIPE, OPTIONS, {}, "d") == batch_prefix(RECIPE, OPTIONS, {}, "d")


@pytest.mark.parametrize(
    "other",
    [
        batch_prefix(RECIPE, replace(OPTIONS, lane=Lane.LIVE), {}, "d"),
        batch_prefix(RECIPE, replace(OPTIONS, budget_usd=None), {}, "d"),
        batch_prefix(RECIPE, OPTIONS, {"a": "topic"}, "d"),
        batch_prefix(RECIPE, OPTIONS, {}, "e"),
    ],
)
def test_another_command_has_another_batch_id(other: str) -> None:
    assert other != batch_prefix(RECIPE, OPTIONS, {}, "d")


def test_a_wrong_option_is_named_without_its_value() -> None:
    with pytest.raises(LoadOptionError, match=r"^tenant: String should match pattern"):
        replace(MAKER, options=replace(OPTIONS, tenant="a b")).task(ROW)


def test_the_stored_load_says_what_it_is_of() -> None:
    batch = new_batch(MAKER, Path("rows.csv"), "d" * 64, 7)

    assert (batch.batch_id, batch.rows_total, batch.source) == ("b1-1", 7, "rows.csv")
    assert f"{batch.recipe_name}@{batch.recipe_version}" == RECIPE.ref


def test_a_file_that_changed_is_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("topic\ntea\n")
    digest = content_digest(path)
    check_unchanged(path, digest)

    path.write_text("topic\nmilk\n")

    with pytest.raises(RowsFileError, match="was changed while it was checked"):
        check_unchanged(path, digest)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowsFileError, match="cannot be read"):
        content_digest(tmp_path / "none.csv")
