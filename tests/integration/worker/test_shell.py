"""The worker as Faust's command starts it: health page, metrics, stages by environment."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fixtures.broker import until
from fixtures.worker import Deployment
from streams.engine.broker_abilities import PROBE_GROUP

pytestmark = pytest.mark.integration

FAUST = ("-m", "faust", "-A", "streams.app", "worker")
STAGES = {"classify", "generate", "validate", "publish"}


async def test_fausts_own_command_starts_the_same_worker(deployment: Deployment) -> None:
    await deployment.start_provider()
    _, base = await deployment.start_worker(FAUST)
    await deployment.submit(2)
    await until(lambda: deployment.has_finished(2))

    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        health = (await client.get("/health")).json()
        metrics = (await client.get("/metrics")).text

    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    finished = [s.value for s in samples if s.name == "pressline_tasks_finished_total"]
    assert (health["fit"], health["problems"], set(health["stages"])) == (True, [], STAGES)
    assert health["stages"]["generate"]["finished"] >= 2
    assert sum(finished) == 2
    assert {s.name for s in samples} >= {"pressline_partitions_assigned", "pressline_model_calls_total"}


async def test_the_environment_names_the_stages_that_run(deployment: Deployment) -> None:
    await deployment.start_provider()

    _, base = await deployment.start_worker(STAGES="generate")

    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        health = (await client.get("/health")).json()
    groups = {group[0] for group in await deployment.admin.list_consumer_groups()}
    assert set(health["stages"]) == {"generate"}
    assert groups - {PROBE_GROUP} == {"pressline-generate"}
