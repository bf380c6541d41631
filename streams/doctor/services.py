"""Checks of Kafka and PostgreSQL, where they run: reachable, new enough, prepared."""

import asyncio
from collections.abc import Collection, Sequence

import asyncpg
from aiokafka.errors import KafkaError

from streams.doctor.finding import Finding, fail, ok, warn
from streams.engine.broker_abilities import BrokerAbilities, probe
from streams.settings import INDEX, REDELIVER, Settings
from streams.store.migrations import SERVER_VERSION_MIN, shipped
from streams.topic_admin import TopicState, describe

ANSWER_S_MAX = 15.0
MIGRATE = "any worker or `pressline up` applies them at its start"
LONE_STAGES = {
    REDELIVER: "records in retry topics wait until one does",
    INDEX: "loads do not end, and no site index is written, until one does",
}
"""What is left undone while other workers are alive and none runs this."""
SELECT_STAGES = "SELECT DISTINCT unnest(stages) AS stage FROM workers WHERE lease_until > now()"
SELECT_APPLIED = "SELECT version, checksum FROM schema_migrations"
HAS_MIGRATIONS = "SELECT to_regclass('schema_migrations') IS NOT NULL"


async def kafka(settings: Settings) -> Sequence[Finding]:
    """Check the brokers and their topics."""
    brokers = settings.brokers
    if brokers is None:
        return (_not_running("brokers", "PRESSLINE_BROKERS"),)
    try:
        states = await asyncio.wait_for(describe(brokers), ANSWER_S_MAX)
    except (KafkaError, OSError, TimeoutError) as error:
        seen = f"{brokers} does not answer: {type(error).__name__}"
        return (fail("brokers", seen, "start Kafka there, or correct PRESSLINE_BROKERS"),)
    there = [state.topic.name for state in states if state.partitions is not None]
    found = [ok("brokers", f"{brokers} answers"), judge_topics(states, settings.partitions)]
    return (*found, *([await _abilities(brokers, there[0])] if there else []))


async def _abilities(brokers: str, topic: str) -> Finding:
    try:
        abilities = await asyncio.wait_for(probe(brokers, topic), ANSWER_S_MAX)
    except (KafkaError, OSError, TimeoutError) as error:
        seen = f"commit metadata and idempotent producer could not be tried: {type(error).__name__}"
        return warn("broker abilities", seen, "allow this account the group pressline-probe")
    return judge_abilities(abilities)


def judge_abilities(abilities: BrokerAbilities) -> Finding:
    """Return whether the broker can do what the engine relies on."""
    if abilities.weaker:
        todo = "nothing is lost; use a broker that keeps them where repeated work matters"
        return warn("broker abilities", "; ".join(abilities.weaker), todo)
    return ok("broker abilities", "it keeps commit metadata and takes an idempotent producer")


def judge_topics(states: Sequence[TopicState], partitions: int) -> Finding:
    """Return whether all topics are there, alike, and with partitions enough.

    Args:
        states: each topic as it is.
        partitions: how many partitions the settings ask for.
    """
    missing = [state.topic.name for state in states if state.partitions is None]
    counts = {
        state.topic.name: state.partitions
        for state in states
        if state.partitions is not None and state.topic.partitions is None
    }
    if missing:
        seen = f"{len(missing)} of {len(states)} are missing, such as {missing[0]}"
        return warn("topics", seen, "any worker makes them at its start; or run `pressline topics --create`")
    if len(set(counts.values())) > 1:
        fewest = min(counts, key=lambda name: counts[name])
        seen = f"their partitions differ: {fewest} has {counts[fewest]}, others up to {max(counts.values())}"
        return fail("topics", seen, "run `pressline topics --grow`: a dead letter keeps its partition number")
    count = min(counts.values())
    if count < partitions:
        seen = f"all {len(counts)} have {count} partitions, PRESSLINE_PARTITIONS asks for {partitions}"
        return warn("topics", seen, "run `pressline topics --grow`, or lower the setting")
    return ok("topics", f"all {len(counts)} are there, with {count} partitions each")


async def postgres(settings: Settings) -> Sequence[Finding]:
    """Check the database's version and schema."""
    if settings.database_url is None:
        return (_not_running("database", "PRESSLINE_DATABASE_URL"),)
    try:
        connection = await asyncpg.connect(settings.need_database(), timeout=ANSWER_S_MAX)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # The text of an unreadable URL could hold a part of the password: only the kind of error is shown.
        todo = "start PostgreSQL there, or correct PRESSLINE_DATABASE_URL"
        return (fail("database", f"no connection: {type(error).__name__}", todo),)
    try:
        version = int(await connection.fetchval("SHOW server_version_num"))
        rows = await connection.fetch(SELECT_APPLIED) if await connection.fetchval(HAS_MIGRATIONS) else []
        stages = await connection.fetch(SELECT_STAGES) if rows else []
    finally:
        await connection.close()
    applied = {int(row["version"]): str(row["checksum"]) for row in rows}
    running = {str(row["stage"]) for row in stages}
    return (judge_version(version), judge_migrations(applied), judge_workers(running))


def judge_workers(stages: Collection[str]) -> Finding:
    """Return whether the workers that are alive leave nothing undone.

    Args:
        stages: what they run, all together.
    """
    missing = [stage for stage in LONE_STAGES if stage not in stages]
    if stages and missing:
        undone = "; ".join(f"none runs {stage}: {LONE_STAGES[stage]}" for stage in missing)
        return warn("workers", undone, f"start one: `pressline worker --stages {','.join(missing)}`")
    return ok("workers", f"alive ones run {', '.join(sorted(stages))}" if stages else "none is alive")


def judge_version(version: int) -> Finding:
    """Return whether the server is new enough.

    Args:
        version: PostgreSQL's `server_version_num`, such as 180001.
    """
    needed, seen = SERVER_VERSION_MIN // 10_000, f"PostgreSQL {version // 10_000} answers"
    if version < SERVER_VERSION_MIN:
        return fail("database", seen, f"use PostgreSQL {needed} or later")
    return ok("database", seen)


def judge_migrations(applied: dict[int, str]) -> Finding:
    """Return whether the schema is this version's.

    Args:
        applied: checksum of each applied migration, by its version.
    """
    wanted = {migration.version: migration.checksum for migration in shipped()}
    changed = [v for v, checksum in applied.items() if wanted.get(v, checksum) != checksum]
    if changed:
        seen = f"migration {changed[0]} was applied with another text than this version ships"
        return fail("schema", seen, "use the Pressline that made this database, or another database")
    missing = wanted.keys() - applied.keys()
    if missing:
        return warn("schema", f"{len(missing)} of {len(wanted)} migrations are not applied yet", MIGRATE)
    return ok("schema", f"all {len(wanted)} migrations are applied")


def _not_running(check: str, setting: str) -> Finding:
    return warn(check, "embedded, not running", f"run `pressline up`, or set {setting} to your own")
