"""From checked rows to tasks: what they have in common, and ids that are the same each time."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import orjson
from pydantic import ValidationError

from processors.recipe import CompiledRecipe
from schemas.base import Lane, Risk
from schemas.task import PublishTarget, Task
from streams.load_check import CheckedRow
from streams.load_rows import RowsFileError
from streams.store.batches import Batch

TASK_DIGITS = 16
BATCH_DIGITS = 12


class LoadOptionError(Exception):
    """An option of a load is not what a task takes; the text says which and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What all tasks of a load have in common; each field means what it means in `schemas.task.Task`."""

    tenant: str
    team: str
    feature: str
    site: str
    lane: Lane
    priority: int
    deadline: datetime | None
    budget_usd: Decimal | None
    risk: Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMaker:
    """Makes the tasks of one load.

    Attributes:
        recipe: that they are bound to, by version.
        options: what they have in common.
        batch_id: the load.
    """

    recipe: CompiledRecipe
    options: LoadOptions
    batch_id: str

    def task(self, row: CheckedRow) -> Task:
        """Return the row's task.

        Raises:
            LoadOptionError: an option is not what a task takes.
        """
        options = self.options
        try:
            return Task(
                task_id=task_id(self.recipe.recipe.name, options, row.key),
                recipe=self.recipe.ref,
                inputs=dict(row.inputs),
                tenant=options.tenant,
                team=options.team,
                feature=options.feature,
                batch_id=self.batch_id,
                row=row.number,
                lane=options.lane,
                priority=options.priority,
                deadline=options.deadline,
                budget_usd=options.budget_usd,
                risk=options.risk,
                target=PublishTarget(site=options.site, slug=None),
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise LoadOptionError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def task_id(recipe_name: str, options: LoadOptions, key: str) -> str:
    """Return the id of the page that `key` stands for, the same in every load: next month it is an update."""
    return f"{recipe_name}.{_digest([options.tenant, recipe_name, options.site, key])[:TASK_DIGITS]}"


def batch_prefix(
    recipe: CompiledRecipe, options: LoadOptions, renames: Mapping[str, str], content_digest: str
) -> str:
    """Return what the ids of all runs of one load begin with: `b`, 12 hex digits and a hyphen.

    The digest is over everything that the tasks are made of, so that what goes on where another command
    stopped makes the very same tasks.
    """
    common = [getattr(options, name) for name in LoadOptions.__slots__]
    values = [recipe.ref, content_digest, dict(renames), [None if v is None else str(v) for v in common]]
    return f"b{_digest(values)[:BATCH_DIGITS]}-"


def new_batch(maker: TaskMaker, source: Path, content_digest: str, rows_total: int) -> Batch:
    """Return the load as it is stored."""
    return Batch(
        batch_id=maker.batch_id,
        recipe_name=maker.recipe.recipe.name,
        recipe_version=maker.recipe.version,
        tenant=maker.options.tenant,
        source=str(source),
        source_digest=content_digest,
        rows_total=rows_total,
        lane=maker.options.lane,
    )


def content_digest(path: Path) -> str:
    """Return the sha256 of the file's bytes, 64 hex digits.

    Raises:
        RowsFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RowsFileError(f"{path} cannot be read: {error.strerror}") from None


def check_unchanged(path: Path, digest: str) -> None:
    """Check that the file is what it was when it was checked.

    Raises:
        RowsFileError: it is not.
    """
    if content_digest(path) != digest:
        raise RowsFileError(f"{path} was changed while it was checked; load it again, as it now is")


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
