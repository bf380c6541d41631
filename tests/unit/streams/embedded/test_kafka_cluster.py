"""A data folder keeps its brokers' ports, and gives way only where Kafka allows it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.embedded.errors import EmbeddedError
from streams.embedded.kafka_cluster import CLUSTER_FILE, load_or_create
from streams.embedded.ports import LOOPBACK, PORT_COUNT, PORT_FIRST


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, port))
        holder.listen()
        yield


def test_ports_are_below_those_of_outgoing_connections_and_remembered(tmp_path: Path) -> None:
    first = load_or_create(tmp_path, 3)
    second = load_or_create(tmp_path, 3)

    ports = [port for broker in first.brokers for port in (broker.client_port, broker.controller_port)]
    assert second == first
    assert len(set(ports)) == 6
    assert all(PORT_FIRST <= port < PORT_FIRST + PORT_COUNT for port in ports)


def test_a_lone_broker_leaves_taken_ports(tmp_path: Path) -> None:
    (before,) = load_or_create(tmp_path, 1).brokers

    with taken(before.client_port), taken(before.controller_port):
        (after,) = load_or_create(tmp_path, 1).brokers

    assert after.directory_id == before.directory_id
    assert {after.client_port, after.controller_port}.isdisjoint({before.client_port, before.controller_port})


def test_one_of_three_leaves_a_taken_client_port(tmp_path: Path) -> None:
    before = load_or_create(tmp_path, 3)

    with taken(before.brokers[1].client_port):
        after = load_or_create(tmp_path, 3)

    assert after.controllers == before.controllers
    assert after.brokers[1].client_port != before.brokers[1].client_port


def test_one_of_three_must_keep_its_controllers_port(tmp_path: Path) -> None:
    port = load_or_create(tmp_path, 3).brokers[2].controller_port

    with taken(port), pytest.raises(EmbeddedError, match=f"port {port} of Kafka controller 2 is taken"):
        load_or_create(tmp_path, 3)


def test_another_number_of_brokers_than_the_data_is_of_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path, 1)

    with pytest.raises(EmbeddedError, match=r"holds the data of 1 Kafka broker\(s\), 3 asked for"):
        load_or_create(tmp_path, 3)


@pytest.mark.parametrize("text", ["", "[]", '{"cluster_id": "x", "brokers": [{"index": 0}]}'])
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / CLUSTER_FILE).write_text(text)

    with pytest.raises(EmbeddedError, match=r"cluster\.json is damaged"):
        load_or_create(tmp_path, 1)
