"""A model that fails, is slow or writes nonsense, with another one to fall back on.

The same rows become pages twice: by a model that never fails, and at the same price by one of whose calls
30 % end in a 500, 10 % take 20 s and 5 % bring invented facts. Each task has a budget of its own, and the
fallback, five times as dear, has a limit of requests.
"""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import asyncpg
import yaml

from fakes.windows import busiest_window
from fixtures.worker import RECIPE, a_row_task
from schemas.task import Task

from .findings import Bar, Findings
from .scene import Scene

TASKS, SHORT_TASKS = 500, 200
END_S_MAX = 600.0
FAULTS: Final = {"http_500": 0.3, "slow": 0.1, "nonsense": 0.05}
SLOW_S = 20.0
ANSWER_S = 0.2
DEADLINE_S = 5.0
REQUESTS_PER_MINUTE = 300
BUDGET_USD = Decimal("0.1")
FAILING, FALLBACK, STEADY = "failing-model", "fallback-model", "steady-model"
PRICE: Final = {"input": 0.05, "output": 0.4}
DEARER: Final = {"input": 0.25, "output": 2.0}
RECIPES: Final = {"steady-route": "difficulty_base: 0", "flight-route": "difficulty_base: 0.9"}
"""By the difficulty of its tasks a recipe asks the model of tier small or of tier frontier."""

NO_PERSON: Final = {
    "- check: grounded-numbers": "- {check: grounded-numbers, severity: error}",
    "hold_below: 0.6": "hold_below: 0",
}
"""Invented numbers are an error, so that such a page is made again, and nothing waits for a review."""


async def run(scene: Scene, *, short: bool) -> Findings:
    """Load the rows for the steady and for the failing model, and compare what became of them."""
    count = SHORT_TASKS if short else TASKS
    await _start(scene)
    for recipe in RECIPES:
        tasks = [_task(recipe, number) for number in range(count)]
        await scene.load.submit(tasks)
        await scene.finished(END_S_MAX)
        scene.tell(f"{recipe}: {len(scene.watcher.ended)} tasks have ended")
    costs, answers, over = await _ledger(scene)
    requests = [line for line in scene.deployment.provider_lines("request") if line["model"] == FALLBACK]
    admitted = [(line["monotonic"], 1) for line in requests]
    outcomes = Counter(finish.outcome for finish in scene.watcher.finishes)
    return Findings(
        bars=(
            Bar(name="tasks that did not end", measured=2 * count - len(scene.watcher.ended), bound=0),
            Bar(name="tasks dead-lettered", measured=outcomes["dead_lettered"], bound=0),
            Bar(name="tasks over their budget", measured=over, bound=0),
            Bar(
                name="requests to the fallback in a minute",
                measured=busiest_window(admitted) if admitted else 0,
                bound=REQUESTS_PER_MINUTE,
            ),
            Bar(name="answers of the fallback", measured=answers[FALLBACK], bound=1, at_least=True),
        ),
        facts={
            "tasks": count,
            "cost with faults by cost without": float(costs["flight-route"] / costs["steady-route"]),
            "cost with faults_usd": float(costs["flight-route"]),
            "cost without_usd": float(costs["steady-route"]),
            **{f"answers of {model}": number for model, number in answers.items()},
            **{f"tasks {outcome}": number for outcome, number in outcomes.items()},
        },
    )


async def _start(scene: Scene) -> None:
    answer = {"latency": {"kind": "fixed", "seconds": ANSWER_S}}
    failing = {**answer, "faults": FAULTS, "slow_s": SLOW_S}
    await scene.deployment.start_provider({FAILING: failing}, **answer)
    files = {"providers.yaml": _catalogue(scene.deployment.provider_url), "budgets.yaml": _budgets()}
    for name, content in files.items():
        (scene.folder / name).write_text(yaml.safe_dump(content))
    await scene.start_worker(
        PROVIDERS=scene.folder / "providers.yaml",
        BUDGETS=scene.folder / "budgets.yaml",
        RECIPES=_write_recipes(scene.folder / "routes"),
        SIMULATED_URL="",
    )


def _catalogue(url: str) -> dict[str, object]:
    """Each model has a provider of its own; one process answers for them all."""

    def a_model(name: str, tier: str, price: Mapping[str, float], *fallbacks: str) -> dict[str, Any]:
        return {
            "name": name,
            "provider": f"{name}-provider",
            "tier": tier,
            "price": dict(price),
            "context_tokens": 400_000,
            "fallbacks": list(fallbacks),
        }

    limits = {FALLBACK: {"requests_per_minute": REQUESTS_PER_MINUTE}}
    return {
        "providers": [
            {
                "name": f"{name}-provider",
                "base_url": f"{url}/v1",
                "simulated": True,
                "call_deadline_s": DEADLINE_S,
                "limits": limits.get(name, {}),
            }
            for name in (STEADY, FALLBACK, FAILING)
        ],
        "models": [
            a_model(STEADY, "small", PRICE),
            a_model(FALLBACK, "mid", DEARER),
            a_model(FAILING, "frontier", PRICE, FALLBACK),
        ],
    }


def _budgets() -> dict[str, object]:
    return {"budgets": [{"scope": "task", "window": "total", "hard_usd": float(BUDGET_USD)}]}


def _write_recipes(folder: Path) -> Path:
    for name, difficulty in RECIPES.items():
        copytree(RECIPE, folder / name)
        text = (folder / name / "recipe.yaml").read_text()
        text = text.replace("name: flight-route", f"name: {name}").replace("difficulty_base: 0.2", difficulty)
        for old, new in NO_PERSON.items():
            text = text.replace(old, new)
        (folder / name / "recipe.yaml").write_text(text)
    return folder


def _task(recipe: str, number: int) -> Task:
    task = a_row_task(number)
    target = task.target.model_copy(update={"site": recipe})
    changes = {"task_id": f"{recipe}-{number}", "recipe": recipe, "target": target, "budget_usd": BUDGET_USD}
    return task.model_copy(update=changes)


async def _ledger(scene: Scene) -> tuple[Mapping[str, Decimal], Counter[str], int]:
    """Return what is booked by recipe, answers by model, and how many tasks are booked over their budget."""
    database = await asyncpg.connect(scene.postgres.url)
    try:
        rows = await database.fetch(SELECT_CALLS)
    finally:
        await database.close()
    by_recipe: dict[str, Decimal] = dict.fromkeys(RECIPES, Decimal(0))
    by_task: dict[str, Decimal] = {}
    for row in rows:
        by_recipe[row["recipe"].partition("@")[0]] += row["cost_usd"]
        by_task[row["task_id"]] = by_task.get(row["task_id"], Decimal(0)) + row["cost_usd"]
    answers = Counter(row["model"] for row in rows if row["state"] == "answered")
    return by_recipe, answers, sum(booked > BUDGET_USD for booked in by_task.values())


SELECT_CALLS: Final = """
SELECT recipe, task_id, model, state, coalesce(cost_usd, cost_max_usd) AS cost_usd FROM model_calls
"""
