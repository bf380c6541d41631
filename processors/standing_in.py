"""What stands in for a model's answer when none of a step's models answers.

the model's fallbacks   in the gateway, before anything here
a stale cached answer   likewise, where the step lets it
the step's template     of a live task at once, of a bulk task in place of its end
waiting                 the error is raised, and the record is tried again
"""

from collections.abc import Callable
from decimal import Decimal

from pydantic import JsonValue

from processors.answers import Parsed
from processors.errors import InvalidRecipeError, ProcessingError
from processors.facts import facts_block
from processors.recipe import CompiledRecipe, Inputs, Outputs
from processors.templates import steps_used
from schemas.base import Lane
from schemas.events import StepResult
from schemas.recipe import Step
from schemas.usage import Usage

NOBODY = "none"
"""Stands for provider and model of what no model wrote."""


def is_due(lane: Lane, error: ProcessingError, gives_up: Callable[[ProcessingError], bool]) -> bool:
    """Return whether nobody is to wait for a model any longer.

    Somebody waits for a live task. A bulk task can be tried again, and a short outage must not turn a whole
    load into pages of templates.
    """
    return lane is Lane.LIVE or gives_up(error)


def from_template(
    recipe: CompiledRecipe, step: Step, path: str, inputs: Inputs, outputs: Outputs, error: ProcessingError
) -> StepResult | None:
    """Return the step's result as its template makes it.

    Args:
        recipe: the recipe.
        step: which step.
        path: path of the step in the run.
        inputs: the task's inputs.
        outputs: answers of the steps before it.
        error: why no model answered; it gets a note of what is wrong with the template.

    Returns:
        The result, or None: there is no template, or what it makes does not fit the step's schema.
    """
    if step.template is None:
        return None
    output, faults = rendered(recipe, step, step.template, inputs, outputs)
    if output is None:
        error.add_note(f"{step.template} cannot stand in: {'; '.join(faults)}")
        return None
    return StepResult(
        step=path,
        provider=NOBODY,
        model=NOBODY,
        output=output,
        usage=Usage(),
        cost_usd=Decimal(0),
        replayed=False,
        simulated=False,
        latency_s=0.0,
        degraded_by=f"made from the template {step.template}: no model answered ({error.reason})",
        template=step.template,
    )


def rendered(recipe: CompiledRecipe, step: Step, template: str, inputs: Inputs, outputs: Outputs) -> Parsed:
    """Return what a step's template makes in place of its answer, or None and what is wrong with it."""
    values = {**inputs, "facts": facts_block(inputs), "steps": outputs}
    try:
        text = recipe.templates[template].render(values)
    except InvalidRecipeError as error:
        return None, (str(error),)
    return recipe.parse_output(step, text)


def faults_of(recipe: CompiledRecipe, inputs: Inputs) -> tuple[str, ...]:
    """Return what is wrong with what templates make of these inputs, a line for each fault.

    A template that uses the answer of a step without one is left out: only a model can give that.
    """
    outputs: dict[str, dict[str, JsonValue]] = {}
    found: list[str] = []
    for step in recipe.recipe.steps:
        if step.template and steps_used(recipe.files[step.template].decode()) <= outputs.keys():
            output, faults = rendered(recipe, step, step.template, inputs, outputs)
            found += [f"{step.template}: {fault}" for fault in faults]
            outputs |= {} if output is None else {step.name: output}
    return tuple(found)
