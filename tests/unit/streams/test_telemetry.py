"""Metrics parse, count once, and say what the consumers say."""

import math
from decimal import Decimal
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from builders import a_generated, a_usage, a_usage_recorded
from fakes.consumer_health import a_health
from fakes.worker_report import a_partition_why, a_stage_why, a_worker_why
from processors.gateway.budgets import Standing
from processors.gateway.limits import ProviderLimits
from processors.gateway.rate_headers import LimitKind, StatedLimit
from schemas.base import Outcome, Stage
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from schemas.catalogue import LimitRules
from schemas.failures import FailureReason
from schemas.scope import Scope, ScopeKind
from schemas.why import Cause
from streams.budgets import BudgetLine
from streams.scaling import BoundBy, Desired
from streams.telemetry import MetricName, Telemetry


def samples(telemetry: Telemetry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = telemetry.exposition().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(**named: str) -> frozenset[tuple[str, str]]:
    return frozenset(named.items())


def test_every_metric_has_a_name_from_the_closed_list() -> None:
    telemetry = Telemetry(CollectorRegistry())
    telemetry.watch_consumers(lambda: [("generate", a_health())])
    telemetry.watch_limits({"p": ProviderLimits("p", LimitRules(requests_per_minute=600))})
    telemetry.watch_breakers(list)
    telemetry.watch_report(a_worker_why)
    telemetry.watch_scaling(dict)
    telemetry.watch_budgets(tuple)

    telemetry.watch_tasks(lambda: 1)

    families = text_string_to_metric_families(telemetry.exposition().decode())

    expected = {name.removesuffix("_total") for name in get_args(MetricName)}
    assert {family.name.removesuffix("_total") for family in families} == expected


def test_trimmed_parts_are_counted_by_recipe_whatever_its_version() -> None:
    telemetry = Telemetry(CollectorRegistry())

    for version in ("0" * 12, "1" * 12):
        telemetry.model_call(a_usage_recorded(recipe=f"note@{version}", trimmed=("examples",)))

    found = samples(telemetry)
    assert found["pressline_prompt_parts_trimmed_total", labels(recipe="note", part="examples")] == 2


def test_a_model_call_is_counted_with_its_tokens_and_price() -> None:
    telemetry = Telemetry(CollectorRegistry())
    call = a_usage_recorded(usage=a_usage(input_fresh=30, output=7), cost_usd=Decimal("0.25"), simulated=True)

    telemetry.model_call(call)

    found, named = samples(telemetry), {"provider": "fake", "model": "small-1", "simulated": "true"}
    assert found["pressline_model_calls_total", labels(**named)] == 1
    assert found["pressline_model_cost_usd_total", labels(**named)] == 0.25
    assert found["pressline_model_tokens_total", labels(**named, direction="input")] == 30
    assert found["pressline_model_tokens_total", labels(**named, direction="output")] == 7


def test_answers_of_fallbacks_and_hedges_are_counted_with_what_they_stand_for() -> None:
    telemetry = Telemetry(CollectorRegistry())
    reason = FailureReason.PROVIDER_TIMEOUT

    telemetry.model_call(a_usage_recorded(fallback_from="mid-1", fallback_reason=reason, hedge="won"))
    telemetry.model_call(a_usage_recorded())

    found = samples(telemetry)
    hop = labels(model_from="mid-1", model_to="small-1", reason="provider_timeout")
    assert found["pressline_model_fallbacks_total", hop] == 1
    assert found["pressline_model_hedges_total", labels(model="small-1", result="won")] == 1


def test_steps_that_a_template_made_are_counted_by_recipe() -> None:
    telemetry = Telemetry(CollectorRegistry())
    made = a_generated()
    stood_in = made.steps[0].model_copy(update={"template": "write.json.j2"})

    telemetry.generated(made)
    telemetry.generated(made.model_copy(update={"steps": (*made.steps, stood_in)}))

    recipe = made.plan.recipe.split("@")[0]
    assert samples(telemetry)["pressline_template_answers_total", labels(recipe=recipe)] == 1


def test_ends_of_tasks_are_counted_by_stage() -> None:
    telemetry = Telemetry(CollectorRegistry())

    telemetry.finished(Stage.PUBLISH, Outcome.PUBLISHED)
    telemetry.dead_lettered(Stage.GENERATE, FailureReason.BUG)
    telemetry.stage_ran(Stage.GENERATE, 0.5)

    found = samples(telemetry)
    assert found["pressline_tasks_finished_total", labels(stage="publish", outcome="published")] == 1
    assert found["pressline_dead_letters_total", labels(stage="generate", reason="bug")] == 1
    assert found["pressline_stage_duration_seconds_count", labels(stage="generate")] == 1


def test_consumers_are_asked_at_every_scrape() -> None:
    telemetry = Telemetry(CollectorRegistry())
    state = {"generate": a_health(assigned=4, waiting={"retry": 2}, commit_error="away")}
    telemetry.watch_consumers(state.items)
    before = samples(telemetry)

    state["generate"] = a_health(assigned=5)

    assert before["pressline_partitions_assigned", labels(stage="generate")] == 4
    assert before["pressline_in_flight_records", labels(stage="generate", waits_for="retry")] == 2
    assert before["pressline_commit_failing", labels(stage="generate")] == 1
    assert samples(telemetry)["pressline_partitions_assigned", labels(stage="generate")] == 5


async def test_limits_are_reported_with_what_was_learned_about_them() -> None:
    telemetry, limits = (
        Telemetry(CollectorRegistry()),
        ProviderLimits("p", LimitRules(requests_per_minute=600)),
    )
    telemetry.watch_limits({"p": limits})

    limits.set_share(0.25)
    limits.learn([StatedLimit(kind=LimitKind.REQUESTS, limit=60, remaining=None, reset_s=None)])

    found = samples(telemetry)
    assert found["pressline_limit_share", labels(provider="p")] == 0.25
    assert found["pressline_limit_per_minute", labels(provider="p", kind="requests")] == 60
    assert found["pressline_limit_waiting_calls", labels(provider="p")] == 0


def test_open_breakers_are_told_by_kind_and_name_while_they_are_open() -> None:
    telemetry, opened = Telemetry(CollectorRegistry()), {Scope(ScopeKind.PROVIDER, "p")}
    telemetry.watch_breakers(lambda: opened)
    before = samples(telemetry)

    opened.clear()

    assert before["pressline_breaker_open", labels(kind="provider", name="p")] == 1
    assert ("pressline_breaker_open", labels(kind="provider", name="p")) not in samples(telemetry)


def test_backlog_and_causes_are_those_of_the_newest_report() -> None:
    telemetry = Telemetry(CollectorRegistry())
    partitions = (a_partition_why(pending=30), a_partition_why(pending=10, head_at=None))
    stage = a_stage_why(waiting={Cause.PAUSED: 2}, finished_per_s=4.0, partitions=partitions)
    telemetry.watch_report(lambda: a_worker_why(stages=(stage,)))

    found = samples(telemetry)

    assert found["pressline_waiting_records", labels(stage="generate", cause="paused")] == 2
    assert found["pressline_waiting_records", labels(stage="generate", cause="in call")] == 0
    assert found["pressline_pending_records", labels(stage="generate")] == 40
    assert found["pressline_drain_seconds", labels(stage="generate")] == 10.0


def test_a_backlog_without_progress_never_drains() -> None:
    telemetry = Telemetry(CollectorRegistry())
    telemetry.watch_report(lambda: a_worker_why(stages=(a_stage_why(finished_per_s=0.0),)))

    assert samples(telemetry)["pressline_drain_seconds", labels(stage="generate")] == math.inf


def test_the_desired_workers_say_what_binds_them() -> None:
    telemetry = Telemetry(CollectorRegistry())
    telemetry.watch_scaling(lambda: {Stage.GENERATE: Desired(workers=3, bound_by=BoundBy.QUOTA)})

    assert samples(telemetry)["pressline_desired_workers", labels(stage="generate", bound_by="quota")] == 3


def a_line(rule: BudgetRule, name: str | None, *, simulated: bool = False) -> BudgetLine:
    standing = Standing(settled_usd=Decimal("3.5"), reserved_usd=Decimal("0.25"))
    return BudgetLine(rule=rule, name=name, simulated=simulated, standing=standing, ends_at=None)


def test_what_a_budget_has_left_is_told_and_batches_and_tasks_make_no_series() -> None:
    telemetry = Telemetry(CollectorRegistry())
    day = BudgetWindow.DAY
    each_team = BudgetRule(scope=BudgetScope.TEAM, window=day, hard_usd=Decimal(10), soft_usd=Decimal(1))
    soft = BudgetRule(scope=BudgetScope.TENANT, name="shop", window=day, soft_usd=Decimal(3))
    each_task = BudgetRule(scope=BudgetScope.TASK, window=day, hard_usd=Decimal(1))
    lines = (
        a_line(each_team, "seo", simulated=True),
        a_line(each_team, None),
        a_line(soft, "shop"),
        a_line(each_task, "shop#1"),
    )
    telemetry.watch_budgets(lambda: lines)

    assert {key: value for key, value in samples(telemetry).items() if "budget" in key[0]} == {
        ("pressline_budget_left_usd", labels(scope="team", name="seo", window="day", simulated="true")): 6.25,
        (
            "pressline_budget_left_usd",
            labels(scope="tenant", name="shop", window="day", simulated="false"),
        ): -0.75,
    }


def test_the_tasks_of_the_event_loop_are_counted_at_each_scrape() -> None:
    telemetry = Telemetry(CollectorRegistry())
    counts = iter((3, 5))
    telemetry.watch_tasks(lambda: next(counts))

    assert [samples(telemetry)["pressline_asyncio_tasks", labels()] for _ in range(2)] == [3, 5]
