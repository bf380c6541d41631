from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import orjson
import pytest

from builders import NOW, a_classified, a_finding, a_plan, a_repair, a_spend, a_task
from fakes.catalogue import FakeCatalogue
from fakes.clock import FakeClock
from fakes.model_gateway import COST_USD, USAGE, FakeModelGateway, an_answer
from fakes.recipe_book import FakeRecipeBook
from processors.errors import (
    AbandonedError,
    BudgetExceededError,
    BudgetExhaustedError,
    ClaimedElsewhereError,
    DeadlinePassedError,
    InvalidOutputError,
    ProcessingError,
    ProviderRefusedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    StoreUnavailableError,
)
from processors.generate import generate
from processors.model import Cheaper, ModelAnswer, ModelRequest
from processors.ports import Ports
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.base import Lane, Outcome, Stage, Tier
from schemas.events import TaskClassified, TaskFinished, TaskGenerated
from schemas.task import PublishTarget
from schemas.usage import CacheResult, Usage

UNUSED = cast("Any", None)
OUTLINE = '{"points": ["one"]}'
PAGE = '{"title": "All about tea"}'
CONFIGURATION = b"""
name: note
key: "{{ topic }}"
inputs: inputs.json
steps:
  - {name: outline, prompt: outline.j2, output: outline.json, tier: mid, temperature: 0.5,
     seed: 7, reasoning_effort: low, cache_ttl: 1h}
  - {name: write, prompt: write.j2, system: system.j2, output: page.json, output_tokens_max: 700}
page: {slug: "{{ topic }}", title: "{{ steps.write.title }}", body: page.md.j2}
"""


@pytest.fixture
def recipe() -> CompiledRecipe:
    return a_note_recipe(CONFIGURATION)


def a_note_recipe(configuration: bytes) -> CompiledRecipe:
    page = {
        "type": "object",
        "properties": {"title": {"type": "string", "minLength": 3}},
        "required": ["title"],
    }
    return compile_recipe(
        {
            "recipe.yaml": configuration,
            "inputs.json": b'{"type": "object", "properties": {"topic": {"type": "string"}}}',
            "outline.json": b'{"type": "object", "required": ["points"]}',
            "page.json": orjson.dumps(page),
            "outline.j2": b"Outline {{ topic }}",
            "write.j2": b"Write {{ topic }}: {{ steps.outline.points[0] }}",
            "system.j2": b"You write.",
            "page.md.j2": b"# {{ steps.write.title }}",
        }
    )


def event_for(recipe: CompiledRecipe, **changes: Any) -> TaskClassified:
    task = a_task(recipe="note", inputs={"topic": "Tea"}, **changes.pop("task", {}))
    plan = a_plan(recipe=recipe.ref, revision=task.revision(recipe.version))
    return a_classified(task=task, plan=plan, **changes)


def ports(recipe: CompiledRecipe, gateway: FakeModelGateway) -> Ports:
    return Ports(
        clock=FakeClock(),
        recipes=FakeRecipeBook(recipe),
        catalogue=FakeCatalogue(),
        model=gateway,
        pages=UNUSED,
        publications=UNUSED,
    )


def cut_off(text: str) -> Callable[[ModelRequest], ModelAnswer]:
    return lambda request: an_answer(request, text, finish_reason="length")


def degraded(answer: Callable[[ModelRequest], ModelAnswer]) -> Callable[[ModelRequest], ModelAnswer]:
    def marked(request: ModelRequest) -> ModelAnswer:
        made = answer(request)
        return replace(made, recorded=made.recorded.model_copy(update={"degraded_by": "team seo, day"}))

    return marked


def trimmed(answer: Callable[[ModelRequest], ModelAnswer]) -> Callable[[ModelRequest], ModelAnswer]:
    def marked(request: ModelRequest) -> ModelAnswer:
        made = answer(request)
        return replace(made, recorded=made.recorded.model_copy(update={"trimmed": ("row",)}))

    return marked


async def test_the_steps_run_as_a_chain_and_make_the_document(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(OUTLINE, PAGE)
    event = event_for(recipe)

    made = await generate(event, ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert (made.task, made.plan, made.repair_round) == (event.task, event.plan, 0)
    assert (made.document.slug, made.document.title, made.document.body) == (
        "tea", "All about tea", "# All about tea"
    )  # fmt: skip
    assert [(each.step, each.output) for each in made.steps] == [
        ("outline", {"points": ["one"]}), ("write", {"title": "All about tea"})
    ]  # fmt: skip
    assert (made.spend.calls, made.spend.cost_usd, made.spend.usage) == (2, 2 * COST_USD, USAGE + USAGE)


async def test_a_request_carries_the_steps_settings(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(OUTLINE, PAGE)
    event = event_for(recipe)

    await generate(event, ports(recipe, gateway))

    outline, write = gateway.requests
    assert (outline.model, write.model) == ("mid-1", "small-1")
    assert (outline.temperature, write.temperature) == (0.5, None)
    assert (outline.seed, outline.reasoning_effort, outline.cache_ttl) == (7, "low", "1h")
    assert (write.seed, write.reasoning_effort, write.cache_ttl) == (None, None, None)
    assert (write.step, write.schema_name, write.output_tokens_max) == ("write", "write", 700)
    assert (write.recipe, write.revision) == (recipe.ref, event.plan.revision)
    assert write.schema is not None
    assert write.schema["required"] == ["title"]
    assert [(each.role, each.content) for each in write.messages] == [
        ("system", "You write."), ("user", "Write Tea: one")
    ]  # fmt: skip
    assert write.budget_usd is None


@pytest.mark.parametrize("effort", ["high", None])
async def test_a_step_may_leave_its_effort_to_the_plan(effort: str | None) -> None:
    recipe = a_note_recipe(CONFIGURATION.replace(b"reasoning_effort: low", b"reasoning_effort: auto"))
    gateway = FakeModelGateway(OUTLINE, PAGE)
    event = event_for(recipe)
    plan = event.plan.model_copy(update={"reasoning_effort": effort})

    await generate(event.model_copy(update={"plan": plan}), ports(recipe, gateway))

    assert [each.reasoning_effort for each in gateway.requests] == [effort, None]


async def test_parts_go_to_the_gateway_whole_and_what_it_trimmed_is_told() -> None:
    parts = b"parts: [{name: row, template: write.j2}, {name: rules, template: system.j2, stable: true}]"
    recipe = a_note_recipe(CONFIGURATION.replace(b"prompt: write.j2", parts))
    gateway = FakeModelGateway(OUTLINE, "no", trimmed(lambda request: an_answer(request, PAGE)))

    made = await generate(event_for(recipe), ports(recipe, gateway))

    asked, repair = (request.messages[1] for request in gateway.requests[1:])
    assert asked.content == "You write.\n\nWrite Tea: one"
    assert [part.name for part in asked.parts] == ["rules", "row"]
    assert repair == asked
    assert isinstance(made, TaskGenerated)
    assert [step.trimmed for step in made.steps] == [(), ("row",)]


@pytest.mark.parametrize(
    ("tier", "soft", "expected"),
    [
        (Tier.SMALL, b"", None),
        (Tier.MID, b"", Cheaper(model="small-1", output_tokens_max=700)),
        (Tier.FRONTIER, b"", Cheaper(model="mid-1", output_tokens_max=700)),
        (Tier.SMALL, b", output_tokens_soft: 300", Cheaper(model="small-1", output_tokens_max=300)),
        (Tier.MID, b", output_tokens_soft: 300", Cheaper(model="small-1", output_tokens_max=300)),
        (Tier.MID, b", output_tokens_soft: 300, tier: mid", Cheaper(model="mid-1", output_tokens_max=300)),
        (Tier.MID, b", tier: mid", None),
    ],
)
async def test_a_soft_budget_may_change_what_the_step_leaves_open(
    tier: Tier, soft: bytes, expected: Cheaper | None
) -> None:
    recipe = a_note_recipe(CONFIGURATION.replace(b"output_tokens_max: 700", b"output_tokens_max: 700" + soft))
    gateway = FakeModelGateway(OUTLINE, "no", PAGE)
    event = event_for(recipe)
    plan = event.plan.model_copy(update={"tier": tier, "model": f"{tier}-1"})

    await generate(event.model_copy(update={"plan": plan}), ports(recipe, gateway))

    outline, write, repair = gateway.requests
    assert outline.cheaper is None  # its tier is fixed
    assert (write.cheaper, repair.cheaper) == (expected, expected)


async def test_a_degraded_answer_is_marked_and_its_own_limit_is_told_when_it_is_cut_off() -> None:
    recipe = a_note_recipe(CONFIGURATION.replace(b"700", b"700, output_tokens_soft: 300"))
    gateway = FakeModelGateway(OUTLINE, degraded(cut_off(PAGE)), degraded(lambda r: an_answer(r, PAGE)))

    made = await generate(event_for(recipe), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert [step.degraded_by for step in made.steps] == [None, "team seo, day"]
    assert "limit of 300 tokens" in gateway.requests[2].messages[-1].content


async def test_an_invalid_answer_is_repaired_once_with_its_faults(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(OUTLINE, '{"title": "a"}', PAGE)

    made = await generate(event_for(recipe), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert [each.step for each in made.steps] == ["outline", "write/repair-1"]
    assert made.spend.calls == 3
    repair = gateway.requests[2]
    assert repair.messages[:2] == gateway.requests[1].messages
    assert [each.role for each in repair.messages] == ["system", "user", "assistant", "user"]
    assert repair.messages[2].content == '{"title": "a"}'
    assert "- title: the value is shorter than 3 characters" in repair.messages[3].content


async def test_an_answer_that_stays_invalid_is_given_up_and_not_quoted(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway("secret", "secret")

    with pytest.raises(InvalidOutputError, match=r"step outline/repair-1: still invalid") as raised:
        await generate(event_for(recipe), ports(recipe, gateway))

    assert "secret" not in str(raised.value)


async def test_a_replay_may_repair_once_more(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway("bad", "bad", OUTLINE, PAGE)

    made = await generate(event_for(recipe), replace(ports(recipe, gateway), replay=1))

    assert isinstance(made, TaskGenerated)
    assert [each.step for each in made.steps] == ["outline/repair-2", "write"]


async def test_a_cut_off_answer_is_invalid_even_if_it_can_be_read(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(OUTLINE, cut_off(PAGE), PAGE)

    await generate(event_for(recipe), ports(recipe, gateway))

    assert (
        "cut off at the limit of 700 tokens: write a shorter one" in gateway.requests[2].messages[-1].content
    )


async def test_an_empty_answer_is_fed_back_as_a_message_that_providers_take(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway("", OUTLINE, PAGE)

    await generate(event_for(recipe), ports(recipe, gateway))

    assert gateway.requests[1].messages[-2].content == "(no text)"


async def test_a_repair_round_has_its_own_paths_and_feeds_the_findings_back(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(OUTLINE, "no", PAGE)
    repair = a_repair(round=2, findings=(a_finding(message="says 7, the row says 8"),))

    made = await generate(event_for(recipe, repair=repair, spend=a_spend()), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert made.repair_round == 2
    assert made.spend.calls == 4
    assert [each.step for each in gateway.requests] == [
        "round-2/outline", "round-2/write", "round-2/write/repair-1"
    ]  # fmt: skip
    assert "- says 7, the row says 8" in gateway.requests[1].messages[1].content


async def test_each_call_may_cost_what_the_earlier_ones_left(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(OUTLINE, "no", PAGE)
    spent = a_spend(cost_usd=Decimal("0.0005"))
    event = event_for(recipe, task={"budget_usd": Decimal("0.002")}, spend=spent)

    await generate(event, ports(recipe, gateway))

    assert [each.budget_usd for each in gateway.requests] == [
        Decimal("0.0015"),
        Decimal("0.0005"),
        Decimal(0),
    ]


async def test_a_replayed_answer_costs_nothing(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(lambda request: an_answer(request, OUTLINE, replayed=True), PAGE)

    made = await generate(event_for(recipe), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert made.spend.calls == 1
    assert [(each.replayed, each.cost_usd) for each in made.steps] == [(True, 0), (False, COST_USD)]


async def test_one_simulated_answer_makes_the_document_simulated(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(lambda request: an_answer(request, OUTLINE, simulated=True), PAGE)

    made = await generate(event_for(recipe), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert made.document.simulated


async def test_the_tasks_own_slug_wins(recipe: CompiledRecipe) -> None:
    target = PublishTarget(site="s", slug="my-tea")
    gateway = FakeModelGateway(OUTLINE, PAGE)

    made = await generate(event_for(recipe, task={"target": target}), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert made.document.slug == "my-tea"


async def test_a_task_past_its_deadline_expires_unpaid(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway()
    event = event_for(recipe, task={"deadline": NOW - timedelta(seconds=1)}, spend=a_spend())

    made = await generate(event, ports(recipe, gateway))

    assert isinstance(made, TaskFinished)
    assert (made.outcome, made.stage, made.spend) == (Outcome.EXPIRED, Stage.GENERATE, a_spend())
    assert gateway.requests == []


async def test_a_failed_call_is_passed_on(recipe: CompiledRecipe) -> None:
    gateway = FakeModelGateway(ProviderTimeoutError("no answer in 60 s"))

    with pytest.raises(ProviderTimeoutError):
        await generate(event_for(recipe), ports(recipe, gateway))


DOWN = ProviderUnavailableError("down")
TEMPLATE = b'{"title": {{ ("All about " ~ topic) | tojson }}, "why": {{ steps.outline.points[0] | tojson }}}'
LIVE = {"lane": Lane.LIVE}


def with_template(template: bytes = TEMPLATE) -> CompiledRecipe:
    configuration = CONFIGURATION.replace(b"output_tokens_max: 700", b"template: write.json.j2")
    return compile_recipe(
        {**a_note_recipe(CONFIGURATION).files, "recipe.yaml": configuration, "write.json.j2": template}
    )


async def test_a_template_stands_in_at_once_for_a_live_tasks_answer_and_says_so() -> None:
    recipe = with_template()
    gateway = FakeModelGateway(OUTLINE, DOWN)

    made = await generate(event_for(recipe, task=LIVE), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    step = made.steps[1]
    assert step.output == {"title": "All about Tea", "why": "one"}
    assert (step.provider, step.model, step.cost_usd) == ("none", "none", Decimal(0))
    assert step.template == "write.json.j2"
    assert (
        step.degraded_by == "made from the template write.json.j2: no model answered (provider_unavailable)"
    )
    assert made.document.data == {"degraded_by": step.degraded_by}
    assert (made.document.title, made.spend.calls) == ("All about Tea", 1)


async def test_a_bulk_tasks_template_stands_in_where_the_task_would_end() -> None:
    recipe = with_template()
    at = ports(recipe, FakeModelGateway(OUTLINE, DOWN, OUTLINE, DOWN))

    with pytest.raises(ProviderUnavailableError):
        await generate(event_for(recipe), at)
    made = await generate(event_for(recipe), replace(at, gives_up=lambda error: error is DOWN))

    assert isinstance(made, TaskGenerated)
    assert made.steps[1].template == "write.json.j2"


async def test_what_a_repair_cost_stays_in_the_sum_when_a_template_stands_in() -> None:
    recipe = with_template()
    gateway = FakeModelGateway(OUTLINE, "no json", DOWN)

    made = await generate(event_for(recipe, task=LIVE), ports(recipe, gateway))

    assert isinstance(made, TaskGenerated)
    assert (made.spend.calls, made.steps[1].template) == (2, "write.json.j2")


@pytest.mark.parametrize(
    "error",
    [
        BudgetExceededError("x"),
        BudgetExhaustedError("x"),
        ProviderRefusedError("x"),
        ProviderRejectedError("x"),
        DeadlinePassedError("x"),
        AbandonedError("x"),
        StoreUnavailableError("x"),
        ClaimedElsewhereError("x"),
    ],
)
async def test_nothing_stands_in_for_what_lies_with_the_request_or_with_us(error: ProcessingError) -> None:
    recipe = with_template()

    with pytest.raises(type(error)):
        await generate(event_for(recipe, task=LIVE), ports(recipe, FakeModelGateway(OUTLINE, error)))


@pytest.mark.parametrize("template", [b'{"title": ""}', b"no json", b'{"title": {{ 1 // 0 }}}'])
async def test_a_template_that_makes_no_valid_answer_leaves_the_record_waiting(template: bytes) -> None:
    recipe, down = with_template(template), ProviderUnavailableError("down")

    with pytest.raises(ProviderUnavailableError) as raised:
        await generate(event_for(recipe, task=LIVE), ports(recipe, FakeModelGateway(OUTLINE, down)))

    assert raised.value.__notes__[0].startswith("write.json.j2 cannot stand in: ")


async def test_a_step_says_after_how_long_it_is_hedged(recipe: CompiledRecipe) -> None:
    configuration = CONFIGURATION.replace(b"output_tokens_max: 700", b"hedge_after_s: 2.5")
    hedged = a_note_recipe(configuration)
    gateway = FakeModelGateway(OUTLINE, PAGE)

    await generate(event_for(hedged), ports(hedged, gateway))

    assert [request.hedge_after_s for request in gateway.requests] == [None, 2.5]


CACHED = CONFIGURATION.replace(b"700", b"700, cache: {ttl_s: 60, stale_s: 600}")


async def test_a_step_that_uses_the_cache_says_how_long_and_what_is_valid() -> None:
    recipe = a_note_recipe(CACHED)
    gateway = FakeModelGateway(OUTLINE, PAGE)

    await generate(event_for(recipe), ports(recipe, gateway))

    outline, write = gateway.requests
    assert outline.cache is None
    assert write.cache is not None
    assert (write.cache.ttl_s, write.cache.stale_s) == (60, 600)
    assert [write.cache.accepts(text) for text in (PAGE, "no", '{"title": "a"}')] == [True, False, False]


async def test_a_repair_is_never_answered_by_the_cache() -> None:
    recipe = a_note_recipe(CACHED)
    gateway = FakeModelGateway(OUTLINE, "no", PAGE, OUTLINE, PAGE)

    await generate(event_for(recipe), ports(recipe, gateway))
    await generate(event_for(recipe, repair=a_repair()), ports(recipe, gateway))

    assert [each.cache is not None for each in gateway.requests] == [False, True, False, False, False]


async def test_an_answer_of_the_cache_costs_nothing_and_is_told_of() -> None:
    recipe = a_note_recipe(CACHED)

    def cached(request: ModelRequest) -> ModelAnswer:
        made = an_answer(request, PAGE)
        changes = {"cache": CacheResult.HIT, "cost_usd": Decimal(0), "saved_usd": COST_USD, "usage": Usage()}
        return replace(made, recorded=made.recorded.model_copy(update=changes))

    made = await generate(event_for(recipe), ports(recipe, FakeModelGateway(OUTLINE, cached)))

    assert isinstance(made, TaskGenerated)
    assert (made.spend.calls, made.spend.cost_usd, made.spend.usage) == (1, COST_USD, USAGE)
    assert (made.spend.cache_hits, made.spend.saved_usd) == (1, COST_USD)
    assert [each.cache for each in made.steps] == [None, CacheResult.HIT]
