"""Stage classify: an accepted task in, its plan out."""

from typing import Literal

from processors.errors import InvalidInputsError
from processors.ports import Ports
from processors.recipe import CompiledRecipe
from schemas.base import Outcome, Risk, Stage, Tier
from schemas.codec import canonical
from schemas.events import Plan, Spend, TaskClassified, TaskFinished, TaskSubmitted
from schemas.recipe import ModelPolicy

DIFFICULTY_DIGITS = 3

Effort = Literal["low", "medium", "high"]


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


def difficulty_of(policy: ModelPolicy, chars: int, missing: int) -> float:
    """Return how hard the task is, from 0 to 1.

    It is `difficulty_base`, plus `difficulty_per_1000_chars` times the length of the inputs as JSON in 1,000s
    of characters, plus `difficulty_per_missing_input` for each missing optional input; at most 1.
    """
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


def effort_for(policy: ModelPolicy, difficulty: float) -> Effort:
    """Return how much models shall think about a task of that difficulty, where a step leaves it open."""
    if difficulty <= policy.low_effort_up_to:
        return "low"
    return "medium" if difficulty <= policy.medium_effort_up_to else "high"


def higher_risk(one: Risk, other: Risk) -> Risk:
    """Return the higher of the two."""
    return max(one, other, key=list(Risk).index)


def _plan(event: TaskSubmitted, recipe: CompiledRecipe, ports: Ports) -> Plan:
    task, policy = event.task, recipe.recipe.model
    missing = len(recipe.missing_inputs(task.inputs))
    chars = len(canonical(task.inputs).decode())
    difficulty = difficulty_of(policy, chars, missing)
    tier = tier_for(policy, difficulty)
    risk = higher_risk(task.risk, recipe.recipe.risk)
    open_steps = any(step.reasoning_effort == "auto" for step in recipe.recipe.steps)
    effort = effort_for(policy, difficulty) if open_steps else None
    return Plan(
        recipe=recipe.ref,
        revision=task.revision(recipe.version),
        difficulty=difficulty,
        tier=tier,
        model=ports.catalogue.model_for(tier),
        risk=risk,
        reasoning_effort=effort,
        why=f"{_difficulty_in_words(policy, chars, missing)} {tier} is the cheapest that is good enough. "
        f"{_effort_in_words(policy, effort)}"
        f"Risk {risk} is the higher of the task's ({task.risk}) and the recipe's ({recipe.recipe.risk}).",
    )


def _difficulty_in_words(policy: ModelPolicy, chars: int, missing: int) -> str:
    of_chars = policy.difficulty_per_1000_chars * chars / 1000
    of_missing = policy.difficulty_per_missing_input * missing
    return (
        f"Difficulty {difficulty_of(policy, chars, missing)}: {policy.difficulty_base:g} to begin with, "
        f"{of_chars:.3f} for {chars} characters of inputs, {of_missing:g} for {missing} optional inputs that "
        f"are missing. The recipe trusts small models up to {policy.small_up_to:g}, mid ones up to "
        f"{policy.mid_up_to:g}:"
    )


def _effort_in_words(policy: ModelPolicy, effort: Effort | None) -> str:
    if effort is None:
        return ""
    return (
        f"Models that reason think with {effort} effort: low up to {policy.low_effort_up_to:g}, medium up to "
        f"{policy.medium_effort_up_to:g}. "
    )
