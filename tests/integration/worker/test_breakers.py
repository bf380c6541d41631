"""A provider that fails is left alone but for probes; its records wait and end when it is back."""

import asyncio
import json
from collections import Counter

import httpx
import pytest

from fixtures.broker import until
from fixtures.worker import Deployment
from processors.gateway.call_breakers import CALL_RULES
from schemas.base import Outcome
from schemas.events import TaskFinished

pytestmark = pytest.mark.integration

TASKS = 60
QUICK = {"kind": "fixed", "seconds": 0.05}
OPEN = 'pressline_breaker_open{kind="provider",name="simulated"} 1.0'


async def is_open(base: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        return OPEN in (await client.get(f"{base}/metrics")).text


async def an_outage(deployment: Deployment) -> str:
    """A worker whose provider fails until its breaker is open; return the worker's address."""
    await deployment.start_provider(latency=QUICK, faults={"http_503": 1.0})
    _, base = await deployment.start_worker()
    await deployment.submit(TASKS)
    await until(lambda: is_open(base), within_s=60)
    return base


async def outcomes(deployment: Deployment) -> Counter[Outcome]:
    return Counter(event.outcome for event in await deployment.events(TaskFinished))


async def test_an_outage_costs_probes_only_and_no_task(deployment: Deployment) -> None:
    base = await an_outage(deployment)
    await asyncio.sleep(1.0)  # calls in flight end
    asked = len(deployment.provider_lines("request"))

    async def says_so() -> bool:
        result = await deployment.pressline("why-stuck", "--stage", "generate", "--json")
        rows = [row for row in map(json.loads, result.stdout.splitlines()) if row["pending"]]
        return any(
            row["cause"] == "breaker open" and "provider simulated, probed from " in row["detail"]
            for row in rows
        )

    await until(says_so, within_s=20)
    await asyncio.sleep(CALL_RULES.open_s)  # one opening passes, and its probes fail
    probes = len(deployment.provider_lines("request")) - asked
    still_open = await is_open(base)

    await deployment.behave(latency=QUICK)
    await until(lambda: deployment.has_finished(TASKS), within_s=180)

    assert still_open
    assert 0 <= probes <= 2 * CALL_RULES.probes
    assert (await outcomes(deployment))[Outcome.DEAD_LETTERED] == 0
    await until(lambda: _closed(base), within_s=10)


async def test_a_person_who_resumes_the_provider_closes_its_breaker_at_once(deployment: Deployment) -> None:
    base = await an_outage(deployment)
    await deployment.behave(latency=QUICK)

    resumed = await deployment.pressline("resume", "--provider", "simulated", "--by", "ann")

    assert resumed.exit_code == 0, resumed.output
    await until(lambda: _closed(base), within_s=CALL_RULES.open_s / 2)
    await until(lambda: deployment.has_finished(TASKS), within_s=120)
    assert (await outcomes(deployment))[Outcome.DEAD_LETTERED] == 0


async def _closed(base: str) -> bool:
    return not await is_open(base)
