"""Apache Kafka as users run it: it starts, survives kills, and says why when it cannot start."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.embedded.errors import EmbeddedError, load_extra
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.kafka_files import log_path
from streams.embedded.ports import LOOPBACK

pytestmark = pytest.mark.integration

psutil = load_extra("psutil")

TOPIC = "kept"


async def create_topic(kafka: EmbeddedKafka, *, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, copies)])
    finally:
        await admin.close()


async def produce(kafka: EmbeddedKafka, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True
    )
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def records(kafka: EmbeddedKafka) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(TOPIC, 0)])
        batches = await consumer.getmany(timeout_ms=10_000)
        return [record.value for batch in batches.values() for record in batch]
    finally:
        await consumer.stop()


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    async with EmbeddedKafka(tmp_path) as kafka:
        await create_topic(kafka)
        await produce(kafka, b"first")
        yield kafka


async def test_a_killed_broker_comes_back_with_its_records_and_ports(started: EmbeddedKafka) -> None:
    servers = started.bootstrap_servers

    await started.kill(0)
    assert started.pids == ()
    await started.restart(0)
    await produce(started, b"second")

    assert started.bootstrap_servers == servers
    assert await records(started) == [b"first", b"second"]


async def test_a_broker_of_a_crashed_run_is_ended_and_its_data_taken_over(
    started: EmbeddedKafka, tmp_path: Path
) -> None:
    (orphan,) = started.pids
    # What the kernel does when the run is killed: it gives the folder back, the child goes on.
    started._lock.release()

    async with EmbeddedKafka(tmp_path) as successor:
        assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
        assert await records(successor) == [b"first"]
    assert started.ended == (0,)


async def test_taken_ports_are_left_and_the_data_stays(started: EmbeddedKafka, tmp_path: Path) -> None:
    before = started._started_cluster()
    await started.stop()

    with socket.socket() as client, socket.socket() as controller:
        for holder, port in (
            (client, before.brokers[0].client_port),
            (controller, before.brokers[0].controller_port),
        ):
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((LOOPBACK, port))
            holder.listen()
        await started.start()

    assert started.bootstrap_servers != before.bootstrap_servers
    assert await records(started) == [b"first"]


async def test_a_folder_in_use_is_refused_and_its_run_goes_on(started: EmbeddedKafka, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"):
        await EmbeddedKafka(tmp_path).start()

    assert await records(started) == [b"first"]


async def test_a_broken_data_folder_is_quoted_and_nothing_is_left_running(
    started: EmbeddedKafka, tmp_path: Path
) -> None:
    await started.stop()
    (tmp_path / "kafka" / "broker-0" / "data" / "meta.properties").unlink()

    with pytest.raises(EmbeddedError, match=r"(?s)exit code.*meta\.properties.*put back a copy"):
        await started.start()

    assert started.pids == ()
    assert "meta.properties" in log_path(tmp_path / "kafka", 0).read_text()


async def test_a_stop_leaves_no_process_and_can_be_repeated(started: EmbeddedKafka) -> None:
    (pid,) = started.pids

    await started.stop()
    await started.stop()

    assert not psutil.pid_exists(pid)


async def test_an_unexpected_end_is_told(started: EmbeddedKafka) -> None:
    (pid,) = started.pids

    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=10)

    assert started.ended == (0,)


async def test_three_brokers_keep_a_record_when_one_is_killed(tmp_path: Path) -> None:
    async with EmbeddedKafka(tmp_path, brokers=3) as kafka:
        await create_topic(kafka, copies=3)
        await produce(kafka, b"first")

        await kafka.kill(1)
        await produce(kafka, b"second")

        assert len(kafka.pids) == 2
        assert await records(kafka) == [b"first", b"second"]
        await kafka.restart(1)
        assert len(kafka.pids) == 3


async def test_two_brokers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"expected one of \(1, 3\)"):
        EmbeddedKafka(tmp_path, brokers=2)
