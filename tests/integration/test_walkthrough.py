"""One task from its submission to its page, with every event on its topic."""

import orjson
import pytest

from fixtures.broker import until
from fixtures.worker import Deployment
from schemas.base import Outcome
from schemas.events import TaskClassified, TaskFinished, TaskGenerated, TaskSubmitted, TaskValidated
from schemas.usage import UsageRecorded
from streams.store.database import Database
from streams.store.tasks import PostgresTaskIndex

pytestmark = pytest.mark.integration


async def test_one_task_becomes_one_page_one_sink_line_one_usage_event_and_one_index_row(
    deployment: Deployment, database: Database
) -> None:
    await deployment.start_provider()
    await deployment.start_worker()

    [task] = await deployment.submit(1)

    index = PostgresTaskIndex(database)
    await until(lambda: _is_indexed_as(index, task.submission_id, Outcome.PUBLISHED))
    for message in (TaskSubmitted, TaskClassified, TaskGenerated, TaskValidated, TaskFinished):
        assert [event.task for event in await deployment.events(message)] == [task]
    [finished] = await deployment.events(TaskFinished)
    [usage] = await deployment.events(UsageRecorded)
    [page] = (deployment.site / task.target.site).glob(f"*-{task.inputs['to_iata']}.md".lower())
    [line] = [orjson.loads(text) for text in _sink_log(deployment).splitlines()]
    assert (usage.task_id, usage.submission_id) == (task.task_id, task.submission_id)
    assert (finished.spend.calls, finished.spend.cost_usd) == (1, usage.cost_usd)
    assert finished.title is not None
    assert page.exists()
    assert finished.content_hash in line.values()


async def _is_indexed_as(index: PostgresTaskIndex, submission_id: str, outcome: Outcome) -> bool:
    row = await index.get(submission_id)
    return row is not None and row.state == outcome


def _sink_log(deployment: Deployment) -> str:
    [log] = deployment.site.rglob("*.jsonl")
    return log.read_text()
