"""Broker and workers put together: what nobody holds, and what nobody reports, is said."""

from builders import NOW
from fakes.worker_report import TOPIC, a_worker_why
from schemas.base import Stage
from schemas.why import Cause, WorkerWhy
from streams.backlog import PartitionBacklog
from streams.engine.records import Partition
from streams.why_view import ADVICE, why_rows

PARTITION = Partition(TOPIC, 3)


def a_backlog(owner: str | None) -> PartitionBacklog:
    return PartitionBacklog(stage=Stage.GENERATE, partition=PARTITION, pending=5, owner=owner)


def test_what_its_owner_reports_is_shown() -> None:
    [row] = why_rows([a_backlog("w1")], [a_worker_why("w2"), a_worker_why("w1")])

    assert (row.cause, row.pending, row.worker, row.head_at) == (Cause.QUOTA, 4, "w1", NOW)


def test_a_partition_that_nobody_holds_is_said_with_the_command_that_helps() -> None:
    [row] = why_rows([a_backlog(None)], [a_worker_why("w1")])

    assert (row.cause, row.pending, row.todo) == (
        Cause.NO_OWNER,
        5,
        "start a worker: `pressline worker --stages generate`",
    )


def test_an_owner_that_reports_nothing_is_named() -> None:
    [row] = why_rows([a_backlog("w1")], [])

    assert (row.cause, row.worker) == (Cause.NO_REPORT, "w1")


def test_every_cause_has_its_advice() -> None:
    assert set(ADVICE) == set(Cause)


def test_a_report_survives_its_travel() -> None:
    report = a_worker_why("w1")

    assert WorkerWhy.model_validate_json(report.model_dump_json()) == report
