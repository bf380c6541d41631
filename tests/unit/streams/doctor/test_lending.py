"""What is judged of Redis, without any."""

import pytest
from pydantic import SecretStr

from streams import lease_tables
from streams.doctor import lending
from streams.doctor.finding import Status
from streams.settings import Settings


async def test_redis_is_not_needed() -> None:
    [finding] = await lending.redis(Settings(_env_file=None))

    assert (finding.status, "PostgreSQL" in finding.seen) == (Status.OK, True)


async def test_redis_without_its_package_keeps_workers_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_tables, "find_spec", lambda _name: None)

    [finding] = await lending.redis(Settings(_env_file=None, redis=SecretStr("redis://:hidden@h")))

    assert (finding.status, "pressline[redis]" in finding.seen) == (Status.FAIL, True)


@pytest.mark.parametrize(("role", "status"), [("master", Status.OK), ("slave", Status.WARN)])
def test_a_replica_is_told(role: str, status: Status) -> None:
    finding = lending.judge_redis({"redis_version": "8.2.1", "role": role})

    assert (finding.status, "Redis 8.2.1" in finding.seen) == (status, True)
