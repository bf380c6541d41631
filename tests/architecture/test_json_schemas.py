"""The published JSON Schemas are the models', and change in additive ways only."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from architecture.compatibility import incompatibilities
from builders import (
    a_review_decided,
    a_review_requested,
    a_submitted,
    a_usage_recorded,
    a_validated,
)
from schemas.codec import encode
from schemas.export import EXPORTED, FOLDER, export, file_name, schema, schema_text
from streams.topics import NOUNS, event_type

BASELINE = Path(__file__).parent / "baseline"
SUBMITTED = "pressline.task.submitted.v1"
Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("name", EXPORTED)
def test_a_schema_file_is_what_the_model_makes(name: str) -> None:
    assert (FOLDER / file_name(name)).read_text("utf-8") == schema_text(name), "run python -m schemas.export"


def test_no_schema_file_is_stale(tmp_path: Path) -> None:
    (tmp_path / "old.json").touch()

    assert export(tmp_path) == ("old.json",)
    assert {path.name for path in FOLDER.glob("*.json")} == {file_name(name) for name in EXPORTED}


def test_every_event_is_exported_under_its_type() -> None:
    assert {event_type(message): message for message in NOUNS}.items() <= EXPORTED.items()


@pytest.mark.parametrize("name", EXPORTED)
def test_every_schema_is_a_valid_one(name: str) -> None:
    assert jsonschema_rs.meta.is_valid(schema(name))


@pytest.mark.parametrize(
    "message", [a_submitted(), a_validated(), a_review_requested(), a_review_decided(), a_usage_recorded()]
)
def test_what_is_sent_fits_its_schema(message: BaseModel) -> None:
    validator = jsonschema_rs.validator_for(schema(event_type(type(message))))

    assert [error.message for error in validator.iter_errors(json.loads(encode(message)))] == []


def test_what_the_codec_refuses_does_not_fit_the_schema() -> None:
    validator = jsonschema_rs.validator_for(schema(SUBMITTED))
    task = {"task_id": "t", "recipe": "r", "inputs": {}}

    assert validator.is_valid({"task": task})
    assert not validator.is_valid({"task": task | {"inputs": {"not a name": 1}}})
    assert not validator.is_valid({"task": task | {"unknown": 1}})
    assert not validator.is_valid({"task": task | {"lane": "fast"}})


@pytest.mark.parametrize("path", sorted(BASELINE.glob("*.json")), ids=lambda path: path.name)
def test_senders_that_keep_to_the_baseline_are_still_understood(path: Path) -> None:
    baseline = json.loads(path.read_text("utf-8"))

    assert incompatibilities(baseline, schema(baseline["$id"])) == []


def test_every_exported_schema_has_a_baseline() -> None:
    assert {path.name for path in BASELINE.glob("*.json")} == {file_name(name) for name in EXPORTED}


def _task(root: dict[str, Any]) -> Any:
    return root["$defs"]["Task"]


BREAKING: dict[str, Change] = {
    "$.task.team: removed": lambda s: _task(s)["properties"].pop("team"),
    "$.task.team: required now": lambda s: _task(s)["required"].append("team"),
    "$.task.lane: the value 'bulk' is no longer allowed": lambda s: s["$defs"]["Lane"]["enum"].remove("bulk"),
    "$.task.priority: type integer became string": lambda s: _task(s)["properties"]["priority"].update(
        type="string"
    ),
    "$.task.priority: maximum fell from 9 to 8": lambda s: _task(s)["properties"]["priority"].update(
        maximum=8
    ),
    "$.task.priority: minimum rose from 0 to 1": lambda s: _task(s)["properties"]["priority"].update(
        minimum=1
    ),
    "$.task.team: maxLength fell from None to 9": lambda s: _task(s)["properties"]["team"].update(
        maxLength=9
    ),
    "$.task.inputs: maxProperties fell from 200 to 10": lambda s: _task(s)["properties"]["inputs"].update(
        maxProperties=10
    ),
    "$.task.inputs: names of the pattern": lambda s: _task(s)["properties"]["inputs"].update(
        patternProperties={"^[a-z]+$": {}}
    ),
    "$.task.team: pattern changed": lambda s: _task(s)["properties"]["team"].update(pattern="^[a-z]+$"),
    "$.task.row: alternative 1 is no longer allowed": lambda s: _task(s)["properties"]["row"]["anyOf"].pop(),
    "$.task.team: any value was allowed": lambda s: _task(s)["properties"]["team"].update(enum=["seo"]),
}
ADDITIVE: dict[str, Change] = {
    "a new optional field": lambda s: _task(s)["properties"].update(colour={"type": "string"}),
    "a new value": lambda s: s["$defs"]["Lane"]["enum"].append("night"),
    "a wider bound": lambda s: _task(s)["properties"]["priority"].update(maximum=10),
    "a field that need not be there": lambda s: _task(s)["required"].remove("recipe"),
    "a wider type": lambda s: _task(s)["properties"]["priority"].update(type="number"),
    "a new alternative": lambda s: _task(s)["properties"]["row"]["anyOf"].append({"type": "string"}),
    "another description": lambda s: _task(s)["properties"]["team"].update(description="Who pays."),
    "no pattern": lambda s: _task(s)["properties"]["team"].pop("pattern"),
}


@pytest.mark.parametrize("expected", BREAKING)
def test_a_breaking_change_is_seen(expected: str) -> None:
    changed = copy.deepcopy(schema(SUBMITTED))
    BREAKING[expected](changed)

    [found] = incompatibilities(schema(SUBMITTED), changed)

    assert found.startswith(expected)


@pytest.mark.parametrize("kind", ADDITIVE)
def test_an_additive_change_passes(kind: str) -> None:
    changed = copy.deepcopy(schema(SUBMITTED))
    ADDITIVE[kind](changed)

    assert incompatibilities(schema(SUBMITTED), changed) == []
