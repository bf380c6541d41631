"""Stage classify: an accepted task in, its plan out."""

from collections.abc import Mapping

from pydantic import JsonValue

from processors.errors import InvalidInputsError
from processors.ports import Ports
from processors.recipe import CompiledRecipe
from schemas.base import Outcome, Risk, Stage, Tier
from schemas.codec import canonical
from schemas.events import Plan, Spend, TaskClassified, TaskFinished, TaskSubmitted
from schemas.recipe import ModelPolicy

DIFFICULTY_DIGITS = 3


async def classify(event: TaskSubmitted, ports: Ports) -> TaskClassified | TaskFinished:
    """Return the task with its plan, or its end when the deadline has passed.

    Raises:
        UnknownRecipeError, StoreUnavailableError: from the recipe book.
        InvalidInputsError: the inputs do not fit the recipe's schema; the text lists the places.
    """
    task = event.task
    if task.expired(ports.clock.now()):
        return TaskFinished(
            task=task,
            outcome=Outcome.EXPIRED,
            stage=Stage.CLASSIFY,
            reason=f"the deadline {task.deadline} passed before the task was planned",
            spend=Spend(),
        )
    recipe = await ports.recipes.get(task.recipe)
    errors = recipe.check_inputs(task.inputs)
    if errors:
        raise InvalidInputsError(f"inputs of {recipe.ref}: {'; '.join(errors)}")
    return TaskClassified(task=task, plan=_plan(event, recipe, ports), repair=None, spend=Spend())


def difficulty_of(policy: ModelPolicy, inputs: Mapping[str, JsonValue], missing: int) -> float:
    """Return how hard the task is, from 0 to 1.

    It is `difficulty_base`, plus `difficulty_per_1000_chars` times the length of the inputs as JSON in 1,000s
    of characters, plus `difficulty_per_missing_input` for each missing optional input; at most 1.
    """
    chars = len(canonical(inputs).decode())
    difficulty = (
        policy.difficulty_base
        + policy.difficulty_per_1000_chars * chars / 1000
        + policy.difficulty_per_missing_input * missing
    )
    return round(min(difficulty, 1.0), DIFFICULTY_DIGITS)


def tier_for(policy: ModelPolicy, difficulty: float) -> Tier:
    """Return the cheapest tier that the policy trusts with that difficulty."""
    if difficulty <= policy.small_up_to:
        return Tier.SMALL
    return Tier.MID if difficulty <= policy.mid_up_to else Tier.FRONTIER


def higher_risk(one: Risk, other: Risk) -> Risk:
    """Return the higher of the two."""
    return max(one, other, key=list(Risk).index)


def _plan(event: TaskSubmitted, recipe: CompiledRecipe, ports: Ports) -> Plan:
    task, policy = event.task, recipe.recipe.model
    missing = len(recipe.missing_inputs(task.inputs))
    difficulty = difficulty_of(policy, task.inputs, missing)
    tier = tier_for(policy, difficulty)
    return Plan(
        recipe=recipe.ref,
        revision=task.revision(recipe.version),
        difficulty=difficulty,
        tier=tier,
        model=ports.catalogue.model_for(tier),
        risk=higher_risk(task.risk, recipe.recipe.risk),
        why=(
            f"Difficulty is {difficulty} with {missing} optional inputs missing, and the recipe trusts small "
            f"up to {policy.small_up_to} and mid up to {policy.mid_up_to}, so {tier} is good enough; "
            f"risk is the higher of the task's ({task.risk}) and the recipe's ({recipe.recipe.risk})."
        ),
    )
