"""A worker that is held back says so to whoever asks, and goes on when it is let go."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from fixtures.broker import until
from fixtures.worker import Deployment

pytestmark = pytest.mark.integration
TASKS = 12


async def causes(deployment: Deployment) -> set[str]:
    result = await deployment.pressline("why-stuck", "--stage", "generate", "--json")
    assert result.exit_code == 0, result.output
    return {row["cause"] for row in map(json.loads, result.stdout.splitlines()) if row["pending"]}


async def page(base: str, name: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"{base}/{name}")


async def test_a_backlog_without_workers_is_nobodys(deployment: Deployment) -> None:
    await deployment.submit(TASKS)

    result = await deployment.pressline("why-stuck", "--json")

    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert sum(row["pending"] for row in rows) == TASKS
    assert {row["cause"] for row in rows} == {"no owner"}
    assert "pressline worker --stages classify" in rows[0]["todo"]


async def test_a_paused_provider_is_the_cause_until_it_is_resumed(deployment: Deployment) -> None:
    await deployment.start_provider(latency={"kind": "fixed", "seconds": 0.05})
    paused = await deployment.pressline("pause", "--provider", "simulated", "--by", "ann", "--why", "outage")
    _, base = await deployment.start_worker()

    await deployment.submit(TASKS)

    async def is_paused() -> bool:
        return await causes(deployment) == {"paused"}

    async def all_wait() -> bool:
        gauge = f'pressline_waiting_records{{cause="paused",stage="generate"}} {TASKS}.0'
        return gauge in (await page(base, "metrics")).text

    await until(is_paused)
    why = (await page(base, "why")).json()
    generate = next(stage for stage in why["stages"] if stage["stage"] == "generate")
    held = [p for p in generate["partitions"] if p["pending"]]
    assert paused.exit_code == 0
    assert sum(p["pending"] for p in held) == TASKS
    assert all("outage" in p["detail"] and p["task_id"].startswith("task-") for p in held)
    await until(all_wait)
    assert deployment.provider_lines("request") == []

    drained = await deployment.pressline("drain", "--provider", "simulated", "--by", "ann", "--wait", "30")
    resumed = await deployment.pressline("resume", "--provider", "simulated", "--by", "ann")

    assert (drained.exit_code, resumed.exit_code) == (0, 0)
    await until(lambda: deployment.has_finished(TASKS), within_s=60)


async def test_a_drain_waits_for_calls_and_says_when_it_did_not_see_their_end(deployment: Deployment) -> None:
    await deployment.start_provider(latency={"kind": "fixed", "seconds": 8.0})
    await deployment.start_worker()
    await deployment.submit(TASKS)

    async def is_calling() -> bool:
        return "in call" in await causes(deployment)

    await until(is_calling)

    early = await deployment.pressline("drain", "--provider", "simulated", "--by", "ann", "--wait", "0")
    late = await deployment.pressline("drain", "--provider", "simulated", "--by", "ann", "--wait", "60")

    assert (early.exit_code, late.exit_code) == (1, 0)
    assert f"{TASKS} at work" in early.stderr
    asked = len(deployment.provider_lines("request"))
    await asyncio.sleep(1.0)
    assert len(deployment.provider_lines("request")) == asked


async def test_a_drain_of_a_worker_that_is_not_there_fails(deployment: Deployment) -> None:
    result = await deployment.pressline("drain", "--worker", "w-typo", "--by", "ann")

    assert (result.exit_code, "no worker w-typo is alive" in result.stderr) == (1, True)
