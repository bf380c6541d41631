"""What four empty stages add to a task: from its sending to the arrival of its terminal event."""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.environments import ROOT
from benchmarks.peer_process import PeerProcess
from benchmarks.plan import Case
from benchmarks.run_case import Run
from schemas.base import Lane
from schemas.events import TaskFinished, TaskSubmitted
from schemas.task import Task
from streams.embedded.kafka import EmbeddedKafka
from streams.envelope import Lineage, event_record
from streams.topic_admin import create_missing
from streams.topics import topic_name

TASKS_PER_S = 100
WARM_UP_TASKS = 300
"""Not counted: connections are opened, groups joined."""
TASKS = 3000
PARTITIONS = 8
START_S_MAX = 120.0
ARRIVAL_S_MAX = 60.0
CASE = Case(
    name=f"four empty stages, {TASKS_PER_S} tasks a second",
    peer="four_stages",
    records=TASKS,
    in_flight=500,
    partitions=PARTITIONS,
)


async def run_four_stages(_case: Case = CASE, _python: Path | None = None) -> Run:
    """Start a broker and a worker of their own, send tasks at an even pace, time each."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedKafka(Path(folder)) as kafka:
            brokers = kafka.bootstrap_servers
            await create_missing(brokers, PARTITIONS, 1)
            job = {"brokers": brokers, "topic": "", "out": "", "group": "", "in_flight": CASE.in_flight}
            job |= {"ordering": "unordered", "call_s": 0.0, "call_p99_s": 0.0, "call_s_max": 0.0}
            script = str(ROOT / "benchmarks" / "peers" / "four_stages.py")
            worker = PeerProcess([sys.executable, script, orjson.dumps(job).decode()], Path(folder))
            await worker.start()
            try:
                return await _measured(brokers, worker)
            finally:
                await worker.end()


async def _measured(brokers: str, worker: PeerProcess) -> Run:
    sent_s: dict[bytes, float] = {}
    took_s: dict[bytes, float] = {}
    consumer = AIOKafkaConsumer(
        topic_name(TaskFinished), bootstrap_servers=brokers, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all")
    await consumer.start()
    await producer.start()
    listening = asyncio.create_task(_listen(consumer, sent_s, took_s))
    try:
        await _send(producer, sent_s, 0)
        async with asyncio.timeout(START_S_MAX):
            while not took_s:  # noqa: ASYNC110 - the first one arrives once all groups are joined
                await asyncio.sleep(0.1)
        await _pace(producer, sent_s)
        await asyncio.wait_for(listening, ARRIVAL_S_MAX)
    except TimeoutError:
        reason = worker.last_error if worker.ended else "the rest did not arrive"
        return Run(case=CASE, figures={}, problem=f"{len(took_s)} of {len(sent_s)} tasks: {reason}")
    finally:
        listening.cancel()
        await producer.stop()
        await consumer.stop()
    return await _run(worker, took_s)


async def _pace(producer: Any, sent_s: dict[bytes, float]) -> None:
    started_s = time.perf_counter()
    for number in range(1, WARM_UP_TASKS + TASKS):
        await asyncio.sleep(max(0.0, started_s + number / TASKS_PER_S - time.perf_counter()))
        await _send(producer, sent_s, number)


async def _send(producer: Any, sent_s: dict[bytes, float], number: int) -> None:
    task = Task(task_id=f"task-{number}", recipe="bench", inputs={"number": number}, lane=Lane.LIVE)
    record = event_record(TaskSubmitted(task=task), Lineage(source="urn:pressline:bench"))
    sent_s[task.key] = time.perf_counter()
    await producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))


async def _listen(consumer: Any, sent_s: dict[bytes, float], took_s: dict[bytes, float]) -> None:
    async for record in consumer:
        took_s.setdefault(record.key, time.perf_counter() - sent_s[record.key])
        if len(took_s) == WARM_UP_TASKS + TASKS:
            return


async def _run(worker: PeerProcess, took_s: dict[bytes, float]) -> Run:
    first, report = worker.first("taken"), await worker.report()
    if first is None or report is None:
        return Run(case=CASE, figures={}, problem="it did not report")
    counted = [took for key, took in took_s.items() if int(key.removeprefix(b"task-")) >= WARM_UP_TASKS]
    percentiles = quantiles(counted, n=100)
    return Run(
        case=CASE,
        figures={
            "p50_ms": percentiles[49] * 1000,
            "p99_ms": percentiles[98] * 1000,
            "max_ms": max(counted) * 1000,
            "cpu_us_per_record": (report.cpu_s - first.cpu_s) / len(took_s) * 1e6,
            "cores_per_process": (report.cpu_s - first.cpu_s) / (report.at_s - first.at_s),
            "rss_mib_per_process": report.rss_kib / 1024,
            "load_average": os.getloadavg()[0],
        },
    )
