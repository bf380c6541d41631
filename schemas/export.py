"""JSON Schemas of everything that others write or read: `python -m schemas.export` renews `schemas/json/`."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from schemas.budgets import BudgetRules
from schemas.catalogue import CatalogueRules
from schemas.claim_check import ClaimCheck
from schemas.control import ScopeChanged
from schemas.events import (
    ReviewDecided,
    ReviewRequested,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from schemas.headers import CLAIM_CHECK_TYPE
from schemas.recipe import Recipe
from schemas.usage import UsageRecorded

FOLDER = Path(__file__).parent / "json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

EXPORTED: dict[str, type[BaseModel]] = {
    "pressline.task.submitted.v1": TaskSubmitted,
    "pressline.task.classified.v1": TaskClassified,
    "pressline.task.generated.v1": TaskGenerated,
    "pressline.task.validated.v1": TaskValidated,
    "pressline.task.finished.v1": TaskFinished,
    "pressline.review.requested.v1": ReviewRequested,
    "pressline.review.decided.v1": ReviewDecided,
    "pressline.usage.recorded.v1": UsageRecorded,
    "pressline.control.v1": ScopeChanged,
    CLAIM_CHECK_TYPE: ClaimCheck,
    "pressline.recipe.v1": Recipe,
    "pressline.catalogue.v1": CatalogueRules,
    "pressline.budgets.v1": BudgetRules,
}
"""By `$id`; of an event it is the CloudEvents type."""


def export(folder: Path) -> tuple[str, ...]:
    """Write every schema to `folder` and return the names of its other schemas, which nothing makes.

    Args:
        folder: made if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in EXPORTED:
        (folder / file_name(name)).write_text(schema_text(name), "utf-8")
    known = {file_name(name) for name in EXPORTED}
    return tuple(sorted(path.name for path in folder.glob("*.json") if path.name not in known))


def file_name(name: str) -> str:
    """Return the name of a schema's file."""
    return f"{name}.schema.json"


def schema_text(name: str) -> str:
    """Return a schema as JSON text; equal models have equal bytes."""
    return json.dumps(schema(name), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of what a sender may write.

    Args:
        name: an `$id` of EXPORTED.
    """
    made = EXPORTED[name].model_json_schema(mode="validation")
    _close(made)
    return {"$schema": DIALECT, "$id": name} | made


def _close(node: object) -> None:
    """Say what pydantic leaves out: names that fit no pattern are refused."""
    if isinstance(node, dict):
        if "patternProperties" in node:
            node.setdefault("additionalProperties", False)
        for child in node.values():
            _close(child)
    elif isinstance(node, list):
        for child in node:
            _close(child)


if __name__ == "__main__":
    for stale in export(FOLDER):
        sys.stderr.write(f"{FOLDER / stale}: no model makes it; remove it\n")
