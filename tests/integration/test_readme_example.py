"""The README's example of a producer, run as it stands there."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from fixtures.broker import TOPIC_PARTITIONS, read_topic
from schemas.codec import decode
from schemas.events import TaskSubmitted
from schemas.headers import parse
from streams.embedded.kafka import EmbeddedKafka
from streams.recipes import read_recipe
from streams.topic_admin import create_missing
from streams.topics import event_type

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TOPIC = "pressline.task.submitted.live.v1"
PROGRAM_S_MAX = 60.0
TASK_ID = "route/CDG-FCO"


async def test_it_sends_a_task_that_the_pipeline_takes(kafka: EmbeddedKafka) -> None:
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    await create_missing(kafka.bootstrap_servers, TOPIC_PARTITIONS, 1)

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, kafka.bootstrap_servers],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S_MAX,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        found = await read_topic(kafka.bootstrap_servers, admin, TOPIC)
    finally:
        await admin.close()
    [record] = [record for record in found if record.key == TASK_ID.encode()]
    task = decode(record.value, TaskSubmitted).task
    assert parse(record.headers, event_type(TaskSubmitted)).source == "https://shop.example/catalogue"
    assert read_recipe(ROOT / "recipes" / "flight-route").check_inputs(task.inputs) == ()
