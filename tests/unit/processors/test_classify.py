from datetime import timedelta
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, a_submitted, a_task
from fakes.catalogue import FakeCatalogue
from fakes.clock import FakeClock
from fakes.recipe_book import FakeRecipeBook
from processors.classify import classify, difficulty_of, higher_risk, tier_for
from processors.errors import InvalidInputsError, InvalidRecipeError, UnknownRecipeError
from processors.ports import Ports
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.base import Outcome, Risk, Stage, Tier
from schemas.events import TaskClassified, TaskFinished
from schemas.recipe import ModelPolicy

UNUSED = cast("Any", None)


def a_recipe(model: str = "{}", risk: str = "low", effort: str = "null") -> CompiledRecipe:
    configuration = f"""
name: note
key: "{{{{ topic }}}}"
inputs: inputs.json
risk: {risk}
model: {model}
steps: [{{name: write, prompt: write.j2, output: page.json, reasoning_effort: {effort}}}]
page: {{slug: "{{{{ topic }}}}", title: t, body: write.j2}}
"""
    inputs = {"topic": {"type": "string"}, "angle": {"type": "string"}, "tone": {"type": "string"}}
    return compile_recipe(
        {
            "recipe.yaml": configuration.encode(),
            "inputs.json": orjson.dumps({"type": "object", "properties": inputs, "required": ["topic"]}),
            "page.json": b'{"type": "object"}',
            "write.j2": b"{{ topic }}",
        }
    )


def ports(*recipes: CompiledRecipe) -> Ports:
    return Ports(
        clock=FakeClock(),
        recipes=FakeRecipeBook(*recipes),
        catalogue=FakeCatalogue(),
        model=UNUSED,
        pages=UNUSED,
        publications=UNUSED,
    )


async def test_a_task_gets_a_plan_bound_to_the_recipes_version() -> None:
    recipe = a_recipe()
    task = a_task(recipe="note", inputs={"topic": "Tea", "angle": "", "tone": "dry"})

    event = await classify(a_submitted(task=task), ports(recipe))

    assert isinstance(event, TaskClassified)
    assert event.task == task
    assert event.repair is None
    plan = event.plan
    assert plan.recipe == recipe.ref
    assert plan.revision == task.revision(recipe.version)
    assert (plan.tier, plan.model, plan.risk) == (Tier.SMALL, "small-1", Risk.LOW)
    assert plan.difficulty == 0.254
    assert plan.why == (
        "Difficulty 0.254: 0.2 to begin with, 0.004 for 39 characters of inputs, 0.05 for 1 optional inputs "
        "that are missing. The recipe trusts small models up to 0.5, mid ones up to 0.8: small is the "
        "cheapest that is good enough. Risk low is the higher of the task's (low) and the recipe's (low)."
    )


async def test_risk_is_the_higher_of_the_tasks_and_the_recipes() -> None:
    task = a_task(recipe="note", inputs={"topic": "Tea"}, risk=Risk.MEDIUM)

    event = await classify(a_submitted(task=task), ports(a_recipe(risk="high")))

    assert isinstance(event, TaskClassified)
    assert event.plan.risk is Risk.HIGH
    assert higher_risk(Risk.MEDIUM, Risk.LOW) is Risk.MEDIUM


@pytest.mark.parametrize(
    ("base", "model"), [(0.5, "small-1"), (0.51, "mid-1"), (0.8, "mid-1"), (0.81, "frontier-1")]
)
async def test_the_difficulty_decides_the_tier(base: float, model: str) -> None:
    policy = f"{{difficulty_base: {base}, difficulty_per_1000_chars: 0, difficulty_per_missing_input: 0}}"
    task = a_task(recipe="note", inputs={"topic": "Tea"})

    event = await classify(a_submitted(task=task), ports(a_recipe(policy)))

    assert isinstance(event, TaskClassified)
    assert event.plan.model == model


@pytest.mark.parametrize(
    ("base", "effort"), [(0.5, "low"), (0.51, "medium"), (0.8, "medium"), (0.81, "high")]
)
async def test_the_difficulty_decides_how_much_models_think_where_a_step_leaves_it_open(
    base: float, effort: str
) -> None:
    policy = f"{{difficulty_base: {base}, difficulty_per_1000_chars: 0, difficulty_per_missing_input: 0}}"
    task = a_task(recipe="note", inputs={"topic": "Tea"})

    event = await classify(a_submitted(task=task), ports(a_recipe(policy, effort="auto")))

    assert isinstance(event, TaskClassified)
    assert event.plan.reasoning_effort == effort
    assert (
        f"Models that reason think with {effort} effort: low up to 0.5, medium up to 0.8." in event.plan.why
    )


@pytest.mark.parametrize("effort", ["null", "high"])
async def test_a_plan_says_nothing_of_effort_where_every_step_fixes_it(effort: str) -> None:
    task = a_task(recipe="note", inputs={"topic": "Tea"})

    event = await classify(a_submitted(task=task), ports(a_recipe(effort=effort)))

    assert isinstance(event, TaskClassified)
    assert event.plan.reasoning_effort is None
    assert "effort" not in event.plan.why


def test_thresholds_of_effort_that_cross_are_refused() -> None:
    with pytest.raises(InvalidRecipeError, match=r"low_effort_up_to is 0\.9, expected at most medium"):
        a_recipe("{low_effort_up_to: 0.9}")


async def test_a_task_past_its_deadline_expires_before_anything_is_looked_up() -> None:
    task = a_task(deadline=NOW - timedelta(seconds=1))

    event = await classify(a_submitted(task=task), ports())

    assert isinstance(event, TaskFinished)
    assert (event.outcome, event.stage) == (Outcome.EXPIRED, Stage.CLASSIFY)
    assert event.spend.calls == 0


async def test_invalid_inputs_are_refused_with_their_paths() -> None:
    task = a_task(recipe="note", inputs={"angle": 4711})

    with pytest.raises(InvalidInputsError) as raised:
        await classify(a_submitted(task=task), ports(a_recipe()))

    assert 'angle: the value is not of type "string"' in str(raised.value)
    assert '"topic" is a required property' in str(raised.value)
    assert "4711" not in str(raised.value)


async def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UnknownRecipeError):
        await classify(a_submitted(task=a_task(recipe="note")), ports())


@given(st.integers(2, 20_000), st.integers(0, 200))
def test_difficulty_stays_in_range_and_grows_with_what_is_missing(chars: int, missing: int) -> None:
    policy = ModelPolicy()

    less = difficulty_of(policy, chars, missing)
    more = difficulty_of(policy, chars, missing + 1)

    assert 0 <= less <= more <= 1
    assert list(Tier).index(tier_for(policy, less)) <= list(Tier).index(tier_for(policy, more))
