"""`pressline task show` of tasks that ran, run and wait."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fixtures.broker import until
from fixtures.worker import Deployment
from schemas.base import Outcome
from streams.cli import main
from streams.store.database import Database
from streams.store.tasks import PostgresTaskIndex

pytestmark = pytest.mark.integration

RATE_LIMITED: dict[str, Any] = {"faults": {"http_429": 1.0}, "retry_after_s": 0.1}
LIMITED_FOR_LONG = {"faults": {"http_429": 1.0}, "retry_after_s": 300.0}
REFUSING = {"faults": {"refusal": 1.0}}


async def pressline(deployment: Deployment, url: str, *arguments: str) -> Result:
    environment = {"PRESSLINE_BROKERS": deployment.brokers, "PRESSLINE_DATABASE_URL": url}
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)


async def shown(deployment: Deployment, url: str, task_id: str) -> dict[str, Any]:
    result = await pressline(deployment, url, "task", "show", task_id, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


async def test_the_path_of_a_published_task_is_told_from_submission_to_address(
    deployment: Deployment, database: Database, empty_database_url: str
) -> None:
    await deployment.start_provider()
    await deployment.start_worker()
    [task] = await deployment.submit(1)
    index = PostgresTaskIndex(database)

    async def is_published() -> bool:
        row = await index.get(task.submission_id)
        return row is not None and row.state == Outcome.PUBLISHED

    await until(is_published)

    path = await shown(deployment, empty_database_url, task.task_id)
    text = (await pressline(deployment, empty_database_url, "task", "show", task.submission_id)).stdout
    unknown = await pressline(deployment, empty_database_url, "task", "show", "task-00")

    kinds = ["submitted", "classified", "generated", "validated", "finished"]
    [call] = path["calls_made"]
    assert [step["kind"] for step in path["steps"]] == kinds
    assert (path["outcome"], path["where"]) == ("published", None)
    assert path["plan"]["model"] == call["model"]
    assert "optional inputs" in path["plan"]["why"]
    assert (call["state"], call["usage"]["output"]) == ("answered", path["output_tokens"])
    assert call["cost_usd"] == path["cost_usd"] == path["booked_usd"]
    assert path["steps"][2]["time_s"]["call"] == pytest.approx(call["latency_s"], abs=0.5)
    assert path["total_s"] == pytest.approx(sum(path["time_s"].values()), abs=0.5)
    for word in (task.task_id, "published", path["url"], call["provider"], "passed with score"):
        assert word in text
    assert unknown.exit_code == 1
    assert "task-0" in unknown.stderr
    assert "pressline results" in unknown.stderr


async def test_a_task_that_is_tried_again_tells_its_failed_calls_and_what_it_waits_for(
    deployment: Deployment, empty_database_url: str
) -> None:
    await deployment.start_provider(**RATE_LIMITED)
    await deployment.start_worker()
    [task] = await deployment.submit(1)

    async def has_failed_twice() -> bool:
        result = await pressline(deployment, empty_database_url, "task", "show", task.task_id, "--json")
        return result.exit_code == 0 and len(json.loads(result.stdout)["calls_made"]) > 1

    await until(has_failed_twice)
    path = await shown(deployment, empty_database_url, task.task_id)
    text = (await pressline(deployment, empty_database_url, "task", "show", task.task_id)).stdout

    first = path["calls_made"][0]
    assert (first["state"], first["attempt"], first["cost_usd"]) == ("failed", 1, "0")
    assert "ProviderRateLimitedError" in first["error"]
    assert (path["outcome"], path["where"]["stage"]) == (None, "generate")
    assert path["where"]["waits_for"]
    assert "waits for" in text


async def test_a_task_that_was_put_off_and_one_that_was_given_up_say_where_they_are(
    deployment: Deployment, empty_database_url: str
) -> None:
    await deployment.start_provider(**REFUSING)
    await deployment.start_worker()

    async def has(task_id: str, kind: str) -> bool:
        result = await pressline(deployment, empty_database_url, "task", "show", task_id, "--json")
        return result.exit_code == 0 and kind in [s["kind"] for s in json.loads(result.stdout)["steps"]]

    [given_up] = await deployment.submit(1)
    await until(lambda: has(given_up.task_id, "finished"))
    await deployment.behave(**LIMITED_FOR_LONG)
    [waiting] = await deployment.submit(1, first=1)
    await until(lambda: has(waiting.task_id, "postponed"))

    postponed = await shown(deployment, empty_database_url, waiting.task_id)
    dead = await shown(deployment, empty_database_url, given_up.task_id)

    assert postponed["where"]["waits_for"].startswith("its next try at")
    assert "provider_rate_limited" in postponed["where"]["waits_for"]
    assert [step["kind"] for step in dead["steps"]][-2:] == ["dead_lettered", "finished"]
    assert dead["steps"][-2]["detail"]["position"].startswith("pressline.generate.dead.v1/")
    assert (dead["outcome"], dead["calls_made"][0]["state"]) == ("dead_lettered", "unknown")
