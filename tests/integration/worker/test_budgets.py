"""A whole worker within a budget: it is spent, never passed, and every task ends."""

from decimal import Decimal
from pathlib import Path

import asyncpg
import httpx
import pytest

from fixtures.broker import until
from fixtures.worker import Deployment
from schemas.base import Outcome
from schemas.events import TaskFinished

pytestmark = pytest.mark.integration

HARD_USD = Decimal("0.004")
TASKS = 40


async def test_a_budget_is_spent_and_not_passed_and_every_task_ends(
    deployment: Deployment, empty_database_url: str, tmp_path: Path
) -> None:
    budgets = tmp_path / "budgets.yaml"
    budgets.write_text(f"budgets: [{{scope: tenant, name: default, window: total, hard_usd: {HARD_USD}}}]")
    await deployment.start_provider()
    await deployment.submit(TASKS)
    _, base = await deployment.start_worker(BUDGETS=budgets)

    await until(lambda: deployment.has_finished(TASKS), within_s=120)

    outcomes = [event.outcome for event in await deployment.events(TaskFinished)]
    reasons = [event.reason for event in await deployment.events(TaskFinished)]
    assert Outcome.PUBLISHED in outcomes
    assert all(
        reason.startswith("budget_exceeded: the budget of tenant default, total")
        for reason in reasons
        if reason
    )
    database = await asyncpg.connect(empty_database_url)
    [row] = await database.fetch("SELECT settled_usd, reserved_usd, simulated FROM budget_counters")
    [ledger] = await database.fetch("SELECT sum(cost_usd) AS spent FROM model_calls")
    await database.close()
    assert (row["settled_usd"], row["reserved_usd"], row["simulated"]) == (ledger["spent"], Decimal(0), True)
    assert HARD_USD / 2 < row["settled_usd"] <= HARD_USD
    async with httpx.AsyncClient(trust_env=False) as client:
        metrics = (await client.get(f"{base}/metrics")).text
    assert (
        'pressline_budget_left_usd{name="default",scope="tenant",simulated="true",window="total"}' in metrics
    )
