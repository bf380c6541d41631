"""Reads what a run left: topics, provider log, sink log, PostgreSQL."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from processors.sinks.files import LOG_FILE
from schemas import failures
from schemas.headers import text_headers
from streams.store.database import Database
from streams.topics import all_topics

from .artefacts import CallId, CallRow, Place, Record, Request, SinkLine, TaskRow
from .calls import SLOW
from .sampler import FINISHED_TOPIC
from .services import CALL_DEADLINE_S

FETCH_MS = 1000
SENT, CLIENT_GONE = "sent", "client_gone"
LATE_SLACK_S = 0.5
SLOW_SHARE = 0.5
EMPTY_FETCHES_MAX = 30


async def read_topics(brokers: str, partitions: int, canaries: Sequence[str]) -> tuple[Record, ...]:
    """Return every record of every topic.

    Args:
        brokers: bootstrap servers.
        partitions: of each topic.
        canaries: what no header may hold.

    Raises:
        RuntimeError: the broker stopped giving records before the end.
    """
    everywhere = [
        TopicPartition(t.name, number) for t in all_topics() for number in range(t.partitions or partitions)
    ]
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    records: list[Record] = []
    hidden = [canary.encode() for canary in canaries]
    try:
        consumer.assign(everywhere)
        await consumer.seek_to_beginning(*everywhere)
        left = sum((await consumer.end_offsets(everywhere)).values())
        empty = 0
        while len(records) < left and empty < EMPTY_FETCHES_MAX:
            batches = await consumer.getmany(timeout_ms=FETCH_MS)
            records += [_record(raw, hidden) for batch in batches.values() for raw in batch]
            empty = 0 if batches else empty + 1
    finally:
        await consumer.stop()
    if len(records) < left:
        raise RuntimeError(f"read {len(records)} records, expected {left}: does the broker run?")
    return tuple(records)


def read_requests(log: Path) -> tuple[Request, ...]:
    """Return the requests that name a call."""
    requests: list[Request] = []
    under_way: dict[str, dict[str, Any]] = {}
    for line in _lines(log):
        if line["event"] == "request" and line["call"] is not None:
            under_way[line["request_id"]] = line
        elif line["event"] == "answered" and (start := under_way.pop(line["request_id"], None)) is not None:
            requests.append(_request(start, line))
    return (*requests, *(_request(line, None) for line in under_way.values()))


def read_sink(root: Path) -> tuple[SinkLine, ...]:
    """Return the sink's lines of every site."""
    return tuple(
        SinkLine(
            key=line["key"],
            task_id=line["task_id"],
            effect=line["effect"],
            page_exists=(log.parent / f"{line['slug']}.md").is_file(),
        )
        for log in sorted(root.glob(f"*/{LOG_FILE}"))
        for line in _lines(log)
    )


async def read_calls(database: Database) -> tuple[CallRow, ...]:
    """Return the ledger."""
    rows = await database.fetch("SELECT revision, step, attempt, state, worker_id FROM model_calls")
    return tuple(
        CallRow(
            call=CallId(row["revision"], row["step"], row["attempt"]),
            state=row["state"],
            worker_id=row["worker_id"],
        )
        for row in rows
    )


async def read_tasks(database: Database) -> tuple[TaskRow, ...]:
    """Return the task index."""
    rows = await database.fetch("SELECT submission_id, task_id, state::text AS state FROM tasks")
    return tuple(
        TaskRow(submission_id=row["submission_id"], task_id=row["task_id"], state=row["state"])
        for row in rows
    )


def parse_call(text: str) -> CallId:
    """Return the call that `<revision>/<step path>/<attempt>` names."""
    revision, _, rest = text.partition("/")
    step, _, attempt = rest.rpartition("/")
    return CallId(revision, step, int(attempt))


def _request(line: dict[str, Any], end: dict[str, Any] | None) -> Request:
    took_s = end["time"] - line["time"] if end else 0.0
    late = end is not None and end["outcome"] == CLIENT_GONE and took_s > CALL_DEADLINE_S - LATE_SLACK_S
    slow = took_s > SLOW_SHARE * CALL_DEADLINE_S
    return Request(
        call=parse_call(line["call"]),
        at_s=line["time"],
        ended_s=end["time"] if end else None,
        status=end["status"] if end and end["outcome"] == SENT else None,
        task_id=line["task"],
        fault="late" if late else line["fault"] or (SLOW if slow else None),
        retry_after_s=line["retry_after_s"],
    )


def _record(raw: ConsumerRecord, canaries: Sequence[bytes]) -> Record:
    headers = text_headers(raw.headers)
    finished = raw.topic == FINISHED_TOPIC and raw.value is not None
    return Record(
        place=Place(raw.topic, raw.partition, raw.offset),
        sha256=None if raw.value is None else hashlib.sha256(raw.value).hexdigest(),
        ce_id=headers.get("ce_id", ""),
        source=headers.get("ce_source", ""),
        origin=_origin(headers),
        retry_of=_retry_of(headers),
        outcome=orjson.loads(raw.value)["outcome"] if finished else None,
        canary=any(canary in value for _, value in raw.headers if value for canary in canaries),
    )


def _origin(headers: dict[str, str]) -> Place | None:
    if failures.DLQ_TOPIC not in headers:
        return None
    partition, offset = headers[failures.DLQ_PARTITION], headers[failures.DLQ_OFFSET]
    return Place(headers[failures.DLQ_TOPIC], int(partition), int(offset))


def _retry_of(headers: dict[str, str]) -> Place | None:
    if failures.RETRY_OF not in headers:
        return None
    topic, partition, offset = headers[failures.RETRY_OF].split("/")
    return Place(topic, int(partition), int(offset))


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    if log.exists():
        with log.open("rb") as lines:
            yield from (orjson.loads(line) for line in lines if line.strip())
