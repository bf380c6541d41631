"""Dead letters on a real broker and database: seen, exported byte for byte, sent back once."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner, Result

from builders import a_classified, a_finished, a_task
from fakes.deaf_producer import DeafProducer
from fixtures.broker import TOPIC_PARTITIONS, read_topic
from processors.disposition import GiveUp
from processors.errors import ProviderTimeoutError, StoreUnavailableError
from schemas.base import Outcome, Stage
from schemas.failures import REPLAY_COUNT, REPLAY_OF, FailureReason
from schemas.headers import text_headers
from streams.claim_checks import claim_of, redeem
from streams.claim_producer import ClaimCheckProducer
from streams.cli import main
from streams.dead_letter_search import DeadLetterSearch
from streams.dead_letters import DeadLetter, Position, Wanted
from streams.embedded.kafka import EmbeddedKafka
from streams.engine.dead_letters import dead_letter
from streams.engine.producer import RecordProducer
from streams.engine.records import Attempts, Failure, InRecord, OutRecord
from streams.envelope import Lineage, event_record
from streams.replay import Replayed, Replayer, plan_replay
from streams.store.claim_checks import PostgresClaimStore
from streams.store.database import Database
from streams.store.replays import PostgresReplays
from streams.store.reviews import PostgresReviews
from streams.store.task_events import PostgresTaskEvents
from streams.store.task_rows import finished_row
from streams.store.tasks import PostgresTaskIndex
from streams.task_index import TaskIndexer
from streams.topic_admin import create_missing

pytestmark = pytest.mark.integration

PARTITIONS = 2
ORIGIN = "pressline.task.classified.bulk.v1"
DEAD = "pressline.generate.dead.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One test's part of the shared broker: its own load, and its own database."""

    brokers: str
    database_url: str
    database: Database
    batch_id: str
    producer: RecordProducer

    @property
    def wanted(self) -> Wanted:
        return Wanted(batch_id=self.batch_id)

    async def bury(self, count: int, *, replayed: int = 0, value: bytes | None = None) -> None:
        await self.producer.send([self._letter(number, replayed, value) for number in range(count)])

    def _letter(self, number: int, replayed: int, value: bytes | None) -> OutRecord:
        task = a_task(task_id=f"task-{number}", batch_id=self.batch_id, row=number + 1)
        made = event_record(a_classified(task=task), Lineage(source="urn:test", replay=replayed))
        record = InRecord(
            topic=made.topic,
            partition=number % PARTITIONS,
            offset=number,
            key=made.key,
            value=made.value if value is None else value,
            headers=(*made.headers, ("x-foreign", b"\xff\x00")),
        )
        failure = Failure(
            error=ProviderTimeoutError(f"no answer in {number} s"),
            disposition=GiveUp(FailureReason.PROVIDER_TIMEOUT, retriable=True),
            attempts=Attempts(counted=3),
            at=datetime.now(UTC),
        )
        return dead_letter(record, failure, stage=Stage.GENERATE, group="pressline-generate", topic=DEAD)

    async def command(self, *arguments: str) -> Result:
        """Run a command as a process would: in a thread, since it starts an event loop of its own."""
        env = {"PRESSLINE_BROKERS": self.brokers, "PRESSLINE_DATABASE_URL": self.database_url}
        return await asyncio.to_thread(CliRunner().invoke, main, ["dead-letters", *arguments], env=env)

    async def search(self, wanted: Wanted) -> AsyncIterator[Sequence[DeadLetter]]:
        search = DeadLetterSearch(self.brokers, PostgresReplays(self.database), wanted)
        await search.start()
        try:
            async for letters in search:
                yield letters
        finally:
            await search.stop()

    async def replay(
        self,
        *,
        replays: PostgresReplays | None = None,
        producer: RecordProducer | None = None,
        rate: int = 1000,
    ) -> Replayed:
        replayer = Replayer(
            replays or PostgresReplays(self.database),
            producer or self.producer,
            PostgresClaimStore(self.database),
            replay_id=secrets.token_hex(4),
            by="ann",
            rate=rate,
        )
        return await replayer.run(self.search(self.wanted))

    async def came_back(self) -> list[ConsumerRecord]:
        """Return what stands in the origin topic for this load."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            found = await read_topic(self.brokers, admin, ORIGIN)
        finally:
            await admin.close()
        return [record for record in found if self.batch_id.encode() in record.value]


@pytest.fixture
async def scene(kafka: EmbeddedKafka, database: Database, empty_database_url: str) -> AsyncIterator[Scene]:
    await create_missing(kafka.bootstrap_servers, TOPIC_PARTITIONS, 1)
    producer = RecordProducer(kafka.bootstrap_servers, "test")
    await producer.start()
    yield Scene(
        brokers=kafka.bootstrap_servers,
        database_url=empty_database_url,
        database=database,
        batch_id=f"batch-{secrets.token_hex(6)}",
        producer=producer,
    )
    await producer.stop()


async def test_letters_are_listed_by_kind(scene: Scene) -> None:
    await scene.bury(3)

    table = await scene.command("list", "--batch", scene.batch_id)
    filters = ("--stage", "generate", "--reason", "provider_timeout", "--since", "1h")
    listed = await scene.command("list", "--batch", scene.batch_id, "--json", *filters)

    [group] = [orjson.loads(line) for line in listed.stdout.splitlines()]
    assert (group["count"], group["stage"], group["reason"]) == (3, "generate", "provider_timeout")
    assert (group["error_class"], group["retriable"]) == ("ProviderTimeoutError", True)
    assert "3 dead letters" in listed.stderr
    assert (table.exit_code, "provider_timeout" in table.stdout) == (0, True)


async def test_a_foreign_record_in_a_dead_letter_topic_is_listed_with_the_others(scene: Scene) -> None:
    marker = scene.batch_id.encode()
    foreign = OutRecord(topic=DEAD, key=None, value=b"\xff" + marker)
    await scene.producer.send([foreign, OutRecord(topic=DEAD, key=b"k", value=None)])

    listed = await scene.command("list", "--each", "--json", "--reason", "unknown", "--since", "1h")
    exported = await scene.command("export", "--reason", "unknown")

    rows = [orjson.loads(line) for line in listed.stdout.splitlines()]
    values = [orjson.loads(line)["value_base64"] for line in exported.stdout.splitlines()]
    assert len(rows) >= 2
    assert {row["fingerprint"] for row in rows} == {"unknown"}
    assert base64.b64encode(foreign.value or b"").decode() in values
    assert None in values


async def test_an_export_holds_every_byte(scene: Scene, tmp_path: Path) -> None:
    value = b'{"task":{"batch_id":"' + scene.batch_id.encode() + b'"},  "x" : "\\u0000\xc3\xa9"}\n'
    await scene.bury(1, value=value)
    out = tmp_path / "letters.jsonl"

    result = await scene.command("export", "--batch", scene.batch_id, "--out", str(out))

    [line] = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    headers = {name: base64.b64decode(text) for name, text in line["headers_base64"]}
    assert (result.exit_code, base64.b64decode(line["value_base64"])) == (0, value)
    assert base64.b64decode(line["key_base64"]) == b"task-0"
    assert headers["x-foreign"] == b"\xff\x00"


async def test_one_letter_is_shown_with_its_value(scene: Scene) -> None:
    await scene.bury(1)
    listed = await scene.command("list", "--each", "--json", "--batch", scene.batch_id)
    position = orjson.loads(listed.stdout)["position"]

    shown = await scene.command("show", position)
    missing = await scene.command("show", f"{DEAD}/0/123456789")

    assert f'"batch_id": "{scene.batch_id}"' in shown.stdout
    assert "x-foreign = 0xff00" in shown.stdout
    assert (missing.exit_code, "no dead letter is at" in missing.stderr) == (1, True)


async def test_a_replay_sends_letters_back_untouched_and_once(scene: Scene) -> None:
    await scene.bury(5)
    filters = ("--batch", scene.batch_id, "--yes")

    first = await scene.command("replay", *filters)
    second = await scene.command("replay", *filters)
    listed = await scene.command("list", "--batch", scene.batch_id)

    records = await scene.came_back()
    originals = {f"task-{n}".encode(): scene._letter(n, 0, None) for n in range(5)}
    assert (first.exit_code, "5 sent back, 0 left to another run, 0 failed" in first.stdout) == (0, True)
    assert (second.exit_code, "5, sent back before" in second.stdout) == (0, True)
    assert "5 more were sent back before" in listed.stdout
    assert sorted(record.key for record in records) == sorted(originals)
    for record in records:
        assert record.value == originals[record.key].value
        assert [name for name, _ in record.headers if name.startswith("__dlq")] == []
        assert dict(record.headers)["x-foreign"] == b"\xff\x00"
        assert text_headers(record.headers)[REPLAY_COUNT] == "1"
        assert text_headers(record.headers)["replay-of"].startswith(f"{DEAD}/")


async def test_a_dry_run_and_a_plan_send_nothing(scene: Scene) -> None:
    await scene.bury(3)

    dry = await scene.command("replay", "--batch", scene.batch_id, "--dry-run", "--limit", "2")
    unasked = await scene.command("replay", "--batch", scene.batch_id)

    assert (dry.exit_code, "2 dead letters to send back" in dry.stdout) == (0, True)
    assert "1, over the limit" in dry.stdout
    assert (unasked.exit_code, "--yes" in unasked.stderr) == (2, True)
    assert await scene.came_back() == []


async def test_letters_can_be_named_by_position(scene: Scene) -> None:
    await scene.bury(4)
    listed = await scene.command("list", "--each", "--json", "--batch", scene.batch_id)
    positions = [orjson.loads(line)["position"] for line in listed.stdout.splitlines()]

    replayed = await scene.command("replay", positions[0], positions[3], "--yes")

    assert "2 sent back" in replayed.stdout
    assert {text_headers(record.headers)["replay-of"] for record in await scene.came_back()} == {
        positions[0],
        positions[3],
    }


async def test_runs_at_the_same_time_send_each_letter_once(scene: Scene) -> None:
    await scene.bury(30)

    runs = await asyncio.gather(*(scene.replay() for _ in range(4)))

    assert sum(done.sent for done in runs) == 30
    assert sum(done.elsewhere for done in runs) == 90
    assert len(await scene.came_back()) == 30


async def test_what_a_dead_run_claimed_but_did_not_send_is_not_lost(scene: Scene) -> None:
    await scene.bury(3)
    replays = PostgresReplays(scene.database)
    positions = [letter.position async for letters in scene.search(scene.wanted) for letter in letters]
    await replays.claim(positions, replay_id="dead-run", by="bob")

    at_once = await scene.replay()
    later = await scene.replay(replays=PostgresReplays(scene.database, claim_s_max=0.0))

    assert (at_once.sent, at_once.elsewhere) == (0, 3)
    assert (later.sent, len(await scene.came_back())) == (3, 3)


class DiesAfterSending(PostgresReplays):
    """The database goes away between the send and its record."""

    async def sent(self, positions: object, *, replay_id: str) -> None:
        del positions, replay_id
        raise StoreUnavailableError("gone")


async def test_what_a_dead_run_sent_comes_again_as_the_same_replay(scene: Scene) -> None:
    await scene.bury(1)
    with pytest.raises(StoreUnavailableError):
        await scene.replay(replays=DiesAfterSending(scene.database))

    again = await scene.replay(replays=PostgresReplays(scene.database, claim_s_max=0.0))

    one, other = await scene.came_back()
    unlike = {"replay-id"}
    assert again.sent == 1
    assert {name for name, _ in set(one.headers) ^ set(other.headers)} == unlike
    assert text_headers(other.headers)[REPLAY_COUNT] == "1"


async def test_what_could_not_be_sent_is_free_at_once_and_the_run_stops(scene: Scene) -> None:
    await scene.bury(3)

    failed = await scene.replay(producer=DeafProducer())
    done = await scene.replay()

    assert (failed.sent, failed.failed, failed.stopped) == (0, 3, True)
    assert "KafkaConnectionError" in failed.errors
    assert done.sent == 3


async def test_a_replay_keeps_to_its_rate(scene: Scene) -> None:
    await scene.bury(25)
    begun_s = time.monotonic()

    done = await scene.replay(rate=10)

    # The first ten go at once, the other fifteen at ten a second.
    assert done.sent == 25
    assert time.monotonic() - begun_s > 1.4


async def test_a_letter_that_came_back_five_times_needs_force(scene: Scene) -> None:
    await scene.bury(1, replayed=5)

    refused = await scene.command("replay", "--batch", scene.batch_id, "--yes")
    forced = await scene.command("replay", "--batch", scene.batch_id, "--yes", "--force")

    [record] = await scene.came_back()
    assert "replayed 5 times already" in refused.stdout
    assert "1 sent back" in forced.stdout
    assert text_headers(record.headers)[REPLAY_COUNT] == "6"


async def test_a_record_that_was_too_large_to_stand_in_a_letter_comes_back_whole(scene: Scene) -> None:
    claims, value = PostgresClaimStore(scene.database), b"x" * 6_000_000
    producer = ClaimCheckProducer(scene.brokers, "test", claims)
    await producer.start()
    await replace(scene, producer=producer).bury(1, value=value)
    letters = [one async for batch in scene.search(Wanted(stage="generate")) for one in batch if one.refers]
    [letter] = [one for one in letters if one.origin and one.origin.topic == ORIGIN]
    position = str(letter.position)

    result = await scene.command("replay", position, "--yes")

    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=scene.brokers)
    await admin.start()
    records = await read_topic(scene.brokers, admin, ORIGIN)
    await admin.close()
    [record] = [one for one in records if text_headers(one.headers).get(REPLAY_OF) == position]
    check = claim_of(record.headers, record.value)
    assert (result.exit_code, "1 sent back" in result.stdout) == (0, True)
    assert check is not None
    assert await redeem(claims, check) == value
    assert dict(record.headers)["x-foreign"] == b"\xff\x00"


async def test_a_replayed_task_is_open_again_in_the_index(scene: Scene) -> None:
    task = a_task(task_id="task-0", batch_id=scene.batch_id, row=1)
    tasks = PostgresTaskIndex(scene.database)
    finished = a_finished(task=task, outcome=Outcome.DEAD_LETTERED, stage=Stage.GENERATE)
    await tasks.put([finished_row(finished)])
    await scene.bury(1)

    await scene.replay()
    indexer = TaskIndexer(
        scene.brokers,
        "test",
        tasks,
        PostgresReviews(scene.database),
        PostgresTaskEvents(scene.database),
        PostgresClaimStore(scene.database),
    )
    await indexer._write(await scene.came_back())

    row = await tasks.get(task.submission_id)
    assert row is not None
    assert (row.state, row.replay) == ("classified", 1)


async def test_nothing_to_send_back_says_so(scene: Scene) -> None:
    result = await scene.command("replay", "--batch", scene.batch_id, "--yes")
    listed = await scene.command("list", "--batch", scene.batch_id)

    assert (result.exit_code, "no dead letter matches" in result.stderr) == (1, True)
    assert (listed.exit_code, listed.stdout.strip()) == (0, "0 dead letters")


async def test_a_broker_that_is_away_is_a_missing_part(scene: Scene) -> None:
    env = {"PRESSLINE_BROKERS": "127.0.0.1:1", "PRESSLINE_DATABASE_URL": scene.database_url}

    result = await asyncio.to_thread(CliRunner().invoke, main, ["dead-letters", "list"], env=env)

    assert (result.exit_code, "PRESSLINE_BROKERS" in result.stderr) == (3, True)


async def test_letters_that_arrive_during_a_scan_are_left_for_the_next(scene: Scene) -> None:
    await scene.bury(2)
    search = DeadLetterSearch(scene.brokers, PostgresReplays(scene.database), scene.wanted)
    await search.start()
    await scene.bury(2)

    found = [letter async for letters in search for letter in letters]
    await search.stop()

    assert len(found) == 2
    assert len({letter.position for letter in found}) == 2
    assert all(isinstance(letter.position, Position) for letter in found)


async def test_a_plan_over_all_topics_reads_each_letter_once(scene: Scene) -> None:
    await scene.bury(PARTITIONS * 3)

    plan = await plan_replay(scene.search(scene.wanted), limit=100)

    assert len(plan.positions) == PARTITIONS * 3
