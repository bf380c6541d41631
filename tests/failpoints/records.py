"""Records of a recipe with any number of steps."""

from functools import cache
from typing import Any

import orjson

from builders import a_classified, a_plan, a_task
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.base import Tier
from schemas.events import TaskClassified

MODEL = "simulated-small"
TEXT = {"type": "string", "minLength": 10, "maxLength": 60}
HEADLINE = {
    "type": "object",
    "properties": {"headline": TEXT},
    "required": ["headline"],
    "additionalProperties": False,
}
INPUTS = {"type": "object", "properties": {"from_city": {"type": "string"}, "to_city": {"type": "string"}}}


@cache
def a_recipe(steps: int) -> CompiledRecipe:
    """Return a recipe of that many model calls, one after the other, each of which sees the one before."""
    names = [step_name(number) for number in range(1, steps + 1)]
    configuration: dict[str, Any] = {
        "name": "failpoints",
        "key": "{{ from_city }}",
        "inputs": "inputs.schema.json",
        "steps": [
            {"name": name, "prompt": f"{name}.j2", "output": "headline.json", "output_tokens_max": 200}
            for name in names
        ],
        "page": {"slug": "{{ from_city }}", "title": "{{ from_city }}", "body": "page.md.j2"},
    }
    prompts = {
        f"{name}.j2": f"Name page {name} from {{{{ from_city | cell }}}} to {{{{ to_city | cell }}}}. {seen}"
        for name, seen in zip(names, ("", *(f"{{{{ steps.{n}.headline }}}}" for n in names)), strict=False)
    }
    files = {
        "recipe.yaml": orjson.dumps(configuration),
        "inputs.schema.json": orjson.dumps(INPUTS),
        "headline.json": orjson.dumps(HEADLINE),
        "page.md.j2": f"{{{{ steps.{names[-1]}.headline }}}}\n".encode(),
    }
    return compile_recipe(files | {name: text.encode() for name, text in prompts.items()})


def step_name(number: int) -> str:
    """Return the name of a step, from 1."""
    return f"step_{number}"


@cache
def a_record(task_id: str, steps: int, model: str = MODEL) -> TaskClassified:
    """Return a task of the recipe of that many steps, as the stage generate takes it."""
    recipe = a_recipe(steps)
    task = a_task(
        task_id=task_id,
        recipe=recipe.recipe.name,
        inputs={"from_city": f"Paris {task_id}", "to_city": "Rome"},
    )
    revision = task.revision(recipe.version)
    plan = a_plan(recipe=recipe.ref, revision=revision, model=model, tier=Tier.SMALL)
    return a_classified(task=task, plan=plan)
