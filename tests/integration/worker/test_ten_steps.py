"""A worker killed in the middle of a recipe of ten calls: what it bought is not bought again."""

import json
from pathlib import Path

import pytest
import yaml

from fixtures.broker import until
from fixtures.worker import Deployment
from schemas.base import Lane, Outcome
from schemas.events import TaskFinished, TaskSubmitted
from schemas.task import PublishTarget, Task
from streams.envelope import Lineage, event_record

pytestmark = pytest.mark.integration

STEPS = 10
FINISHED = 7
CALL_S = 1.0
SENTENCE = {"type": "string", "minLength": 20, "maxLength": 120}
FILES = {
    "inputs.schema.json": json.dumps({"type": "object", "properties": {}, "additionalProperties": False}),
    "sentence.schema.json": json.dumps(
        {"type": "object", "properties": {"sentence": SENTENCE}, "required": ["sentence"]}
    ),
    "write.j2": "Write one sentence.\n\n{{ facts }}\n",
    "page.md.j2": "".join(f"{{{{ steps.step_{number}.sentence }}}}\n\n" for number in range(1, STEPS + 1)),
}
RECIPE = {
    "name": "ten-steps",
    "description": "A page in ten calls.",
    "key": "ten",
    "inputs": "inputs.schema.json",
    "site": "ten",
    "risk": "low",
    "model": {
        "difficulty_base": 0.2,
        "difficulty_per_1000_chars": 0,
        "difficulty_per_missing_input": 0,
        "small_up_to": 0.5,
        "mid_up_to": 0.8,
    },
    "steps": [
        {
            "name": f"step_{number}",
            "prompt": "write.j2",
            "output": "sentence.schema.json",
            "output_tokens_max": 200,
        }
        for number in range(1, STEPS + 1)
    ],
    "page": {"slug": "ten", "title": "Ten", "body": "page.md.j2"},
    "review": {"hold_at_risk": "high", "hold_below": 0, "reject_below": 0, "repairs_max": 1},
    "sink": "files",
}


async def test_a_task_killed_after_its_seventh_step_repeats_no_finished_one(
    deployment: Deployment, tmp_path: Path
) -> None:
    recipes = a_recipe(tmp_path / "recipes")
    task = Task(
        task_id="ten",
        recipe="ten-steps",
        inputs={},
        lane=Lane.BULK,
        target=PublishTarget(site="ten", slug=None),
    )
    await deployment.start_provider(latency={"kind": "fixed", "seconds": CALL_S})
    await deployment._producer.send([event_record(TaskSubmitted(task=task), Lineage(source="urn:test"))])
    victim, _ = await deployment.start_worker(RECIPES=recipes)
    # The next step is asked only after the answer of the one before is in the journal.
    await until(lambda: len(deployment.provider_lines("request")) == FINISHED + 1)

    victim.kill()
    await deployment.start_worker(RECIPES=recipes)

    await until(lambda: deployment.has_finished(1), within_s=90)
    [end] = await deployment.events(TaskFinished)
    asked = [line["call"].split("/")[-2] for line in deployment.provider_lines("request")]
    names = [f"step_{number}" for number in range(1, STEPS + 1)]
    assert end.outcome is Outcome.PUBLISHED
    assert asked == [*names[: FINISHED + 1], *names[FINISHED:]]


def a_recipe(folder: Path) -> Path:
    """Put the recipe below `folder` and return it."""
    home = folder / "ten-steps"
    home.mkdir(parents=True)
    (home / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    for name, text in FILES.items():
        (home / name).write_text(text)
    return folder
