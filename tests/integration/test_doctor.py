"""`pressline doctor` on real Apache Kafka and PostgreSQL."""

import asyncio
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from fixtures.broker import TOPIC_PARTITIONS
from fixtures.redis_server import RedisServer
from fixtures.store import a_live_worker
from streams.cli import main
from streams.embedded.kafka import EmbeddedKafka
from streams.store.database import Database
from streams.topic_admin import create_missing

pytestmark = pytest.mark.integration

RECIPES = Path(__file__).parents[2] / "recipes"
NOBODY = "127.0.0.1:1"


async def _doctor(brokers: str, database_url: str, home: Path, redis: str = "") -> Result:
    env = {
        "PRESSLINE_BROKERS": brokers,
        "PRESSLINE_DATABASE_URL": database_url,
        "PRESSLINE_REDIS": redis,
        "PRESSLINE_HOME": str(home),
        "PRESSLINE_RECIPES": str(RECIPES),
        "PRESSLINE_PARTITIONS": str(TOPIC_PARTITIONS),
    }
    return await asyncio.to_thread(CliRunner().invoke, main, ["doctor", "--json"], env=env)


def _statuses(result: Result) -> dict[str, str]:
    findings = [orjson.loads(line) for line in result.stdout.splitlines()]
    return {finding["check"]: finding["status"] for finding in findings}


async def test_everything_that_runs_is_found(
    kafka: EmbeddedKafka,
    database: Database,
    empty_database_url: str,
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    await create_missing(kafka.bootstrap_servers, TOPIC_PARTITIONS, 1)

    result = await _doctor(kafka.bootstrap_servers, empty_database_url, tmp_path, redis_server.url)

    services = {
        name: _statuses(result)[name] for name in ("brokers", "topics", "database", "schema", "redis")
    }
    assert (result.exit_code, set(services.values())) == (0, {"ok"})


async def test_a_worker_that_runs_neither_index_nor_redeliver_is_not_enough(
    kafka: EmbeddedKafka, database: Database, empty_database_url: str, tmp_path: Path
) -> None:
    await a_live_worker(database, "alone")

    result = await _doctor(kafka.bootstrap_servers, empty_database_url, tmp_path)

    assert _statuses(result)["workers"] == "warn"


async def test_a_database_without_our_schema_is_told(
    kafka: EmbeddedKafka, empty_database_url: str, tmp_path: Path
) -> None:
    result = await _doctor(kafka.bootstrap_servers, empty_database_url, tmp_path)

    assert _statuses(result)["schema"] == "warn"


async def test_services_that_do_not_answer_are_missing_parts(tmp_path: Path) -> None:
    result = await _doctor(
        NOBODY, f"postgresql://ann:secret@{NOBODY}/pressline", tmp_path, f"redis://ann:secret@{NOBODY}"
    )

    statuses = _statuses(result)
    assert (result.exit_code, statuses["brokers"], statuses["database"]) == (3, "fail", "fail")
    assert statuses["redis"] == "warn"
    assert "secret" not in result.output
