"""Stage generate: a planned task in, its document out."""

from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import JsonValue

from processors import standing_in
from processors.errors import PROVIDER_FAULTS, InvalidOutputError, ProcessingError
from processors.model import CacheUse, ChatMessage, Cheaper, ModelAnswer, ModelRequest, ReasoningEffort
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

    A step that no model answers is made from its template, if it has one; see `standing_in`.

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
    faults: tuple[str, ...] = ()
    repairs_max = REPAIRS_MAX + ports.replay
    for repair in range(repairs_max + 1):
        try:
            answer = await ports.model.complete(request)
        except PROVIDER_FAULTS as error:
            return _finished(run, at, _stand_in(at, run, ports, error))
        run = replace(run, spend=run.spend.plus([answer.recorded]))
        output, faults = _read(at, answer)
        if output is not None:
            return _finished(run, at, _result(request, answer, output))
        if repair < repairs_max:
            request = _repair_request(at, first, answer, faults, run, repair + 1)
    raise InvalidOutputError(
        f"{at.recipe.ref}: step {request.step}: still invalid after its repair: {'; '.join(faults)}"
    )


def _finished(run: _Run, at: _Position, result: StepResult) -> _Run:
    outputs = (*run.outputs, (at.step.name, result.output))
    return replace(run, results=(*run.results, result), outputs=outputs)


def _stand_in(at: _Position, run: _Run, ports: Ports, error: ProcessingError) -> StepResult:
    """Return what the step has in place of an answer; raise `error` where it has nothing."""
    task = at.event.task
    if standing_in.is_due(task.lane, error, ports.gives_up):
        made = standing_in.from_template(at.recipe, at.step, at.path, task.inputs, dict(run.outputs), error)
        if made is not None:
            return made
    raise error


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
        hedge_after_s=step.hedge_after_s,
        cache=_cache_use(at),
    )


def _cache_use(at: _Position) -> CacheUse | None:
    """Return how the cache may answer. A repair asks anew: the cache may hold the very answer that failed."""
    rule, event = at.step.cache, at.event
    if rule is None or event.repair is not None:
        return None
    return CacheUse(
        ttl_s=rule.ttl_s,
        stale_s=rule.stale_s,
        accepts=lambda text: at.recipe.parse_output(at.step, text)[0] is not None,
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
        first,
        step=f"{first.step}/repair-{repair}",
        messages=messages,
        budget_usd=_left(at.event, run),
        cache=None,
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
        fallback_from=recorded.fallback_from,
        fallback_reason=recorded.fallback_reason,
        cache=recorded.cache,
        trimmed=recorded.trimmed,
    )


def _document(event: TaskClassified, recipe: CompiledRecipe, run: _Run) -> Document:
    simulated = any(result.simulated for result in run.results)
    document = recipe.document(event.task.inputs, dict(run.outputs), simulated=simulated)
    slug = event.task.target.slug or document.slug
    stood_in = [result.degraded_by for result in run.results if result.template]
    data = document.data | ({"degraded_by": "; ".join(filter(None, stood_in))} if stood_in else {})
    return document.model_copy(update={"slug": slug, "data": data})


def _expired(event: TaskClassified) -> TaskFinished:
    return TaskFinished(
        task=event.task,
        outcome=Outcome.EXPIRED,
        stage=Stage.GENERATE,
        reason=f"the deadline {event.task.deadline} passed before the page was paid for",
        spend=event.spend,
    )
