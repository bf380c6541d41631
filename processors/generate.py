"""Stage generate: a planned task in, its document out."""

from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import JsonValue

from processors.errors import InvalidOutputError
from processors.model import ChatMessage, Cheaper, ModelAnswer, ModelRequest, ReasoningEffort
from processors.ports import Ports
from processors.recipe import CompiledRecipe
from schemas.base import Outcome, Stage, Tier
from schemas.events import Document, Spend, StepResult, TaskClassified, TaskFinished, TaskGenerated
from schemas.recipe import Step

REPAIRS_MAX = 1
# An empty message is refused by some providers.
EMPTY_ANSWER = "(no text)"


async def generate(event: TaskClassified, ports: Ports) -> TaskGenerated | TaskFinished:
    """Run the recipe's steps and return the document, or the task's end when the deadline has passed.

    Each step gets at most REPAIRS_MAX repairs of its own, in which the model sees its answer and what was
    wrong. Each replay from the dead-letter topic adds one: the answers bought before come from the journal,
    and without one more the same record would end the same way.

    Raises:
        UnknownRecipeError, StoreUnavailableError: from the recipe book.
        InvalidOutputError: an answer stayed invalid after its repair round.
        TransientError, PermanentError: from the model gateway.
    """
    if event.task.expired(ports.clock.now()):
        return _expired(event)
    recipe = await ports.recipes.get(event.plan.recipe)
    run = _Run(spend=event.spend)
    for step in recipe.recipe.steps:
        run = await _run_step(_Position(event, recipe, step), run, ports)
    return TaskGenerated(
        task=event.task,
        plan=event.plan,
        document=_document(event, recipe, run),
        steps=run.results,
        repair_round=event.repair.round if event.repair else 0,
        spend=run.spend,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What the finished steps left: results in order, and what they and earlier rounds cost."""

    spend: Spend
    results: tuple[StepResult, ...] = ()
    outputs: tuple[tuple[str, dict[str, JsonValue]], ...] = ()


@dataclass(frozen=True, slots=True)
class _Position:
    """Where the run is."""

    event: TaskClassified
    recipe: CompiledRecipe
    step: Step

    @property
    def path(self) -> str:
        """Path of the step; each round has its own, or the journal would answer with the last one's words."""
        repair = self.event.repair
        return f"round-{repair.round}/{self.step.name}" if repair else self.step.name


async def _run_step(at: _Position, run: _Run, ports: Ports) -> _Run:
    """Ask, and ask again with the faults while the answer is invalid and a repair is left."""
    first = request = _request(at, run, ports)
    answer = await ports.model.complete(request)
    run = replace(run, spend=run.spend.plus([answer.recorded]))
    output, faults = _read(at, answer)
    for repair in range(1, REPAIRS_MAX + ports.replay + 1):
        if output is not None:
            break
        request = _repair_request(at, first, answer, faults, run, repair)
        answer = await ports.model.complete(request)
        run = replace(run, spend=run.spend.plus([answer.recorded]))
        output, faults = _read(at, answer)
    if output is None:
        raise InvalidOutputError(
            f"{at.recipe.ref}: step {request.step}: still invalid after its repair: {'; '.join(faults)}"
        )
    return replace(
        run,
        results=(*run.results, _result(request, answer, output)),
        outputs=(*run.outputs, (at.step.name, output)),
    )


def _request(at: _Position, run: _Run, ports: Ports) -> ModelRequest:
    event, step = at.event, at.step
    feedback = [finding.message for finding in event.repair.findings] if event.repair else []
    prompt = at.recipe.prompt(step, event.task.inputs, dict(run.outputs), feedback)
    system = (ChatMessage(role="system", content=prompt.system),) if prompt.system else ()
    return ModelRequest(
        task=event.task,
        recipe=event.plan.recipe,
        revision=event.plan.revision,
        step=at.path,
        model=_model(at, ports),
        messages=(*system, ChatMessage(role="user", content=prompt.user, parts=prompt.parts)),
        schema_name=step.name,
        schema=at.recipe.answer_schema(step),
        output_tokens_max=step.output_tokens_max,
        temperature=step.temperature,
        seed=step.seed,
        reasoning_effort=_effort(at),
        cache_ttl=step.cache_ttl,
        budget_usd=_left(event, run),
        cheaper=_cheaper(at, ports),
    )


def _cheaper(at: _Position, ports: Ports) -> Cheaper | None:
    """Return what a soft budget may change: one tier down, where the step fixes none, and the length."""
    step, tier = at.step, at.event.plan.tier
    usual = _model(at, ports)
    below = list(Tier)[: list(Tier).index(tier)]
    model = usual if step.tier or not below else ports.catalogue.model_for(below[-1])
    tokens = step.output_tokens_soft or step.output_tokens_max
    if (model, tokens) == (usual, step.output_tokens_max):
        return None
    return Cheaper(model=model, output_tokens_max=tokens)


def _model(at: _Position, ports: Ports) -> str:
    return ports.catalogue.model_for(at.step.tier) if at.step.tier else at.event.plan.model


def _effort(at: _Position) -> ReasoningEffort | None:
    asked = at.step.reasoning_effort
    return at.event.plan.reasoning_effort if asked == "auto" else asked


def _repair_request(
    at: _Position, first: ModelRequest, answer: ModelAnswer, faults: tuple[str, ...], run: _Run, repair: int
) -> ModelRequest:
    listed = "\n".join(f"- {fault}" for fault in faults)
    again = f"That answer cannot be used:\n{listed}\nAnswer again with the whole corrected JSON object only."
    messages = (
        *first.messages,
        ChatMessage(role="assistant", content=answer.text.strip() or EMPTY_ANSWER),
        ChatMessage(role="user", content=again),
    )
    return replace(
        first, step=f"{first.step}/repair-{repair}", messages=messages, budget_usd=_left(at.event, run)
    )


def _left(event: TaskClassified, run: _Run) -> Decimal | None:
    """What the task may still spend; the gateway refuses a call whose worst case is above it."""
    if event.task.budget_usd is None:
        return None
    return max(event.task.budget_usd - run.spend.cost_usd, Decimal(0))


def _read(at: _Position, answer: ModelAnswer) -> tuple[dict[str, JsonValue] | None, tuple[str, ...]]:
    if answer.finish_reason == "length":
        step, degraded = at.step, answer.recorded.degraded_by is not None
        limit = (step.output_tokens_soft if degraded else None) or step.output_tokens_max
        return None, (f"it was cut off at the limit of {limit} tokens: write a shorter one",)
    return at.recipe.parse_output(at.step, answer.text)


def _result(request: ModelRequest, answer: ModelAnswer, output: dict[str, JsonValue]) -> StepResult:
    recorded = answer.recorded
    return StepResult(
        step=request.step,
        provider=recorded.provider,
        model=recorded.model,
        output=output,
        usage=recorded.usage,
        cost_usd=Decimal(0) if recorded.replayed else recorded.cost_usd,
        replayed=recorded.replayed,
        simulated=recorded.simulated,
        latency_s=recorded.latency_s,
        degraded_by=recorded.degraded_by,
        trimmed=recorded.trimmed,
    )


def _document(event: TaskClassified, recipe: CompiledRecipe, run: _Run) -> Document:
    simulated = any(result.simulated for result in run.results)
    document = recipe.document(event.task.inputs, dict(run.outputs), simulated=simulated)
    slug = event.task.target.slug
    return document.model_copy(update={"slug": slug}) if slug else document


def _expired(event: TaskClassified) -> TaskFinished:
    return TaskFinished(
        task=event.task,
        outcome=Outcome.EXPIRED,
        stage=Stage.GENERATE,
        reason=f"the deadline {event.task.deadline} passed before the page was paid for",
        spend=event.spend,
    )
