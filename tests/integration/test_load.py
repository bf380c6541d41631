"""Loading into real Apache Kafka and PostgreSQL, by the commands that users run."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer

from fixtures.broker import TOPIC_PARTITIONS
from processors.recipe_scaffold import scaffold
from schemas.base import Lane, Outcome, Stage
from schemas.codec import decode
from schemas.events import Spend, TaskFinished, TaskSubmitted
from schemas.task import Task
from streams.embedded.kafka import EmbeddedKafka
from streams.store.database import Database
from streams.store.task_rows import Progress, finished_row, progress_row
from streams.store.tasks import PostgresTaskIndex
from streams.topics import topic_name

pytestmark = pytest.mark.integration

COMMAND_S_MAX = 120
TOPIC = topic_name(TaskSubmitted, Lane.BULK)
T = TypeVar("T")


class Shell:
    """Runs `pressline` in a folder with a recipe `notes`, against the services of the test session."""

    def __init__(self, folder: Path, brokers: str, database_url: str) -> None:
        self.folder = folder
        self._environment = os.environ | {
            "PRESSLINE_BROKERS": brokers,
            "PRESSLINE_DATABASE_URL": database_url,
            "PRESSLINE_PARTITIONS": str(TOPIC_PARTITIONS),
        }
        recipe = folder / "recipes" / "notes"
        recipe.mkdir(parents=True)
        for name, text in scaffold("notes", {"topic": ("tea", "milk")}).items():
            (recipe / name).write_text(text)

    def start(self, *args: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "streams", *args],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, code: int = 0) -> str:
        process = self.start(*args)
        out, err = process.communicate(timeout=COMMAND_S_MAX)
        assert process.returncode == code, (out, err)
        return out + err

    def objects(self, *args: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*args, code=code).splitlines()]

    def rows(self, count: int) -> str:
        with (self.folder / "rows.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("topic",), *((f"topic {number}",) for number in range(count))])
        return "rows.csv"


@pytest.fixture
def shell(tmp_path: Path, kafka: EmbeddedKafka, empty_database_url: str) -> Shell:
    return Shell(tmp_path, kafka.bootstrap_servers, empty_database_url)


async def tasks_of(kafka: EmbeddedKafka, batch_id: str) -> list[Task]:
    """The load's tasks on the topic, up to its present end."""
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = consumer.assignment()
        ends = await consumer.end_offsets(list(partitions))
        tasks: list[Task] = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                tasks += [decode(record.value, TaskSubmitted).task for record in batch]
        return [task for task in tasks if task.batch_id == batch_id]
    finally:
        await consumer.stop()


async def end_tasks(database_url: str, tasks: list[Task], outcome: Outcome) -> None:
    """What the worker's index writes when the tasks have run."""
    database = await Database.open(database_url, connections_max=1)
    index = PostgresTaskIndex(database)
    ends = (
        TaskFinished(
            task=task, outcome=outcome, stage=Stage.PUBLISH, url=f"http://x/{task.row}", spend=Spend()
        )
        for task in tasks
    )
    await index.put(finished_row(end) for end in ends)
    await database.close()


async def test_every_row_is_on_the_topic_and_the_load_in_the_database(
    shell: Shell, kafka: EmbeddedKafka
) -> None:
    *_, sent = shell.objects("load", shell.rows(1200), "--recipe", "notes", "--detach", "--json")

    tasks = await tasks_of(kafka, sent["batch_id"])
    assert sorted(task.row or 0 for task in tasks) == list(range(1, 1201))
    assert len({task.task_id for task in tasks}) == 1200
    (status,) = shell.objects("status", sent["batch_id"], "--json")
    assert (status["rows_total"], status["rows_sent"], status["balance"]) == (1200, 1200, 1200)
    assert "rows.csv" not in shell.run("status")
    assert sent["batch_id"] in shell.run("status")


async def test_a_killed_load_goes_on_and_no_row_is_there_twice(shell: Shell, kafka: EmbeddedKafka) -> None:
    arguments = ("load", shell.rows(20_000), "--recipe", "notes", "--detach", "--json")
    process = shell.start(*arguments)
    assert process.stdout is not None
    claimed = next(json.loads(line) for line in process.stdout if "claimed" in line)
    await asyncio.sleep(0.7)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = {task.submission_id for task in await tasks_of(kafka, claimed["batch_id"])}

    lines = shell.objects(*arguments)

    resumed = next(line for line in lines if line["phase"] == "claimed")
    after = [task.submission_id for task in await tasks_of(kafka, claimed["batch_id"])]
    assert 0 < len(before) < 20_000
    assert (resumed["batch_id"], resumed["resumed"]) == (claimed["batch_id"], True)
    assert before <= set(after)
    assert len(set(after)) == 20_000
    assert len(after) <= 20_000 + 500


async def test_the_watch_ends_with_a_balance_and_a_new_run_begins_after_it(
    shell: Shell, kafka: EmbeddedKafka, empty_database_url: str
) -> None:
    arguments = ("load", shell.rows(5), "--recipe", "notes", "--json")
    *_, sent = shell.objects(*arguments, "--detach")
    tasks = await tasks_of(kafka, sent["batch_id"])
    await end_tasks(empty_database_url, tasks, Outcome.PUBLISHED)

    *_, ended = shell.objects("watch", sent["batch_id"], "--json")
    *_, again = shell.objects(*arguments, "--detach")

    assert (ended["phase"], ended["balance"], ended["states"]) == ("ended", 0, {"published": 5})
    assert sent["batch_id"].endswith("-1")
    assert again["batch_id"] == sent["batch_id"][:-1] + "2"
    results = shell.objects("results", sent["batch_id"])
    assert [(row["row"], row["inputs"]["topic"]) for row in results] == [
        (n + 1, f"topic {n}") for n in range(5)
    ]
    table = list(csv.DictReader(shell.run("results", sent["batch_id"], "--format", "csv").splitlines()))
    assert [row["topic"] for row in table] == [row["inputs"]["topic"] for row in results]
    assert shell.run("results", sent["batch_id"], "--where", "outcome=rejected") == ""
    assert "published" in shell.run("watch", sent["batch_id"])


async def test_rows_that_fail_end_the_load_with_1_and_rows_in_review_do_not(
    shell: Shell, kafka: EmbeddedKafka, empty_database_url: str
) -> None:
    arguments = ("load", shell.rows(3), "--recipe", "notes")
    shell.run(*arguments, "--batch", "mine", "--detach")
    first, second, third = await tasks_of(kafka, "mine")
    await end_tasks(empty_database_url, [first], Outcome.PUBLISHED)
    database = await Database.open(empty_database_url, connections_max=1)
    held = [progress_row(task, Progress.IN_REVIEW) for task in (second, third)]
    await PostgresTaskIndex(database).put(held)
    await database.close()

    assert "pressline review list" in shell.run(*arguments, "--batch", "mine")
    await end_tasks(empty_database_url, [second, third], Outcome.REJECTED)
    assert "outcome=rejected" in shell.run(*arguments, "--batch", "mine", code=1)


def test_a_bad_row_stops_the_load_before_anything_is_sent_unless_it_is_skipped(shell: Shell) -> None:
    rows = shell.rows(3)
    with (shell.folder / rows).open("a") as file:
        file.write("TOPIC 1\n")

    out = shell.run("load", rows, "--recipe", "notes", "--detach", code=1)
    assert "row 4 (line 5): the same key as row 2" in out
    assert "no loads yet" in shell.run("status")

    *_, sent = shell.objects("load", rows, "--recipe", "notes", "--detach", "--skip-bad", "--json")
    (status,) = shell.objects("status", sent["batch_id"], "--json")
    assert status["rows_total"] == 3


def test_ctrl_c_ends_the_watch_and_says_how_to_watch_again(shell: Shell) -> None:
    process = shell.start("load", shell.rows(3), "--recipe", "notes", "--json")
    assert process.stdout is not None
    sent = next(line for line in process.stdout if "rows_sent" in line and '"sending"' in line)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=COMMAND_S_MAX)

    assert sent
    assert process.returncode == 130
    assert "pressline watch" in err or "sends the rest" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("load", "none.csv", "--recipe", "notes"), 2, "does not exist"),
        (("load", "rows.csv", "--recipe", "nets"), 2, "no recipe is named 'nets'; there is notes@"),
        (("load", "rows.csv", "--recipe", "notes", "--tenant", "a b"), 2, "tenant: String should match"),
        (("load", "rows.csv", "--recipe", "notes", "--map", "x"), 2, "expected COLUMN=INPUT"),
        (("load", "rows.csv", "--recipe", "notes", "--map", "topic=thing"), 1, "'thing' is no input"),
        (("load", "rows.csv", "--recipe", "notes", "--deadline", "soon"), 2, "is no time such as"),
        (("load", "rows.csv", "--recipe", "notes", "--budget-usd", "-1"), 2, "no amount of US dollars"),
        (("watch", "b0-1"), 1, "no load is named 'b0-1'; the newest are none"),
        (("results", "b0-1"), 1, "no load is named 'b0-1'"),
        (("results", "b0-1", "--where", "x=1"), 2, "expected outcome="),
    ],
)
def test_wrong_use_is_told_with_its_exit_code(
    shell: Shell, arguments: tuple[str, ...], code: int, message: str
) -> None:
    shell.rows(2)

    assert message in " ".join(shell.run(*arguments, code=code).split())
