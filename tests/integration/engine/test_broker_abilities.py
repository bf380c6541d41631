"""The probe on real brokers: one as it is, one that keeps little commit metadata."""

from pathlib import Path

import pytest

from fixtures.broker import until
from fixtures.engine import EngineLine, close_line, open_line
from streams.embedded import kafka_files
from streams.embedded.kafka import EmbeddedKafka
from streams.engine.broker_abilities import BrokerAbilities, probe
from streams.engine.records import InRecord

pytestmark = pytest.mark.integration


async def test_apache_kafka_does_all_that_is_relied_on(line: EngineLine) -> None:
    abilities = await probe(line.brokers, line.out)

    assert abilities == BrokerAbilities()
    assert abilities.weaker == ()


async def test_on_a_broker_that_keeps_little_metadata_commits_go_on_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kafka_files._SMALL_MACHINE, "offset.metadata.max.bytes", 200)
    async with EmbeddedKafka(tmp_path) as kafka:
        line = await open_line(kafka.bootstrap_servers)
        abilities = await probe(line.brokers, line.out)
        stage = line.stage()

        async def head_waits(record: InRecord) -> None:
            if record.offset == 0:
                await until(lambda: len(stage.ended) == 2999)

        stage.behaviour = head_waits
        await line.create(line.topic)
        await line.submit([b"v"] * 3000)
        member = await line.join(stage, group={"metadata_bytes_max": abilities.metadata_bytes_max})

        await until(lambda: line.has_finished(0, 3000))
        commit_error = member.health().commit_error
        await close_line(line)

    assert abilities == BrokerAbilities(metadata_bytes_max=128)
    assert "keeps 128 bytes" in abilities.weaker[0]
    assert commit_error is None
