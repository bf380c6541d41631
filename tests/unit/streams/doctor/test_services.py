"""What is judged of services, without any."""

import pytest

from streams.doctor import services
from streams.doctor.finding import Status
from streams.settings import Settings
from streams.store.migrations import shipped
from streams.topic_admin import TopicState
from streams.topics import all_topics


def _states(*counts: int | None) -> list[TopicState]:
    """The first topics have these numbers of partitions, the others the last one."""
    padded = [*counts, *(counts[-1:] * len(all_topics()))]
    return [TopicState(topic=t, partitions=n) for t, n in zip(all_topics(), padded, strict=False)]


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ((8,), Status.OK),
        ((12,), Status.OK),
        ((None, 8), Status.WARN),
        ((4,), Status.WARN),
        ((4, 8), Status.FAIL),
    ],
)
def test_topics_are_there_and_alike(counts: tuple[int | None, ...], status: Status) -> None:
    assert services.judge_topics(_states(*counts), partitions=8).status is status


@pytest.mark.parametrize(("version", "status"), [(180_001, Status.OK), (140_010, Status.FAIL)])
def test_an_old_server_is_a_failure(version: int, status: Status) -> None:
    assert services.judge_version(version).status is status


def test_migrations_are_compared_by_their_text() -> None:
    applied = {migration.version: migration.checksum for migration in shipped()}

    assert services.judge_migrations(applied).status is Status.OK
    assert services.judge_migrations({}).status is Status.WARN
    assert services.judge_migrations(applied | {1: "another"}).status is Status.FAIL
    assert services.judge_migrations(applied | {999: "of a newer version"}).status is Status.OK


async def test_services_that_do_not_run_are_no_failure() -> None:
    settings = Settings(_env_file=None)

    findings = [*await services.kafka(settings), *await services.postgres(settings)]

    assert [finding.status for finding in findings] == [Status.WARN, Status.WARN]


@pytest.mark.parametrize(
    ("stages", "status", "named"),
    [
        (set(), Status.OK, "none is alive"),
        ({"generate", "index", "redeliver"}, Status.OK, "generate, index, redeliver"),
        ({"generate", "index"}, Status.WARN, "none runs redeliver: records in retry topics wait"),
        ({"generate", "redeliver"}, Status.WARN, "none runs index"),
    ],
)
def test_live_workers_that_leave_retry_topics_or_the_index_alone_are_told(
    stages: set[str], status: Status, named: str
) -> None:
    finding = services.judge_workers(stages)

    assert (finding.status, named in finding.seen) == (status, True)
