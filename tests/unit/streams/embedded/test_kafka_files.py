"""A broker is reached from this machine alone, and three keep what one would lose."""

from pathlib import Path

import pytest

from streams.embedded.kafka_cluster import Broker, Cluster
from streams.embedded.kafka_files import MESSAGE_BYTES_MAX, SERVER_FILE, ProxiedListener, write_files


def settings_of_first(folder: Path, brokers: int, proxied: ProxiedListener | None = None) -> dict[str, str]:
    members = tuple(
        Broker(index=index, directory_id=f"d{index}", client_port=100 + index, controller_port=200 + index)
        for index in range(brokers)
    )
    cluster = Cluster(cluster_id="c", brokers=members)
    broker_folder = folder / "kafka" / "broker-0"
    broker_folder.mkdir(parents=True)
    write_files(broker_folder, members[0], cluster, (), proxied)
    lines = (broker_folder / SERVER_FILE).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_broker_listens_on_the_loopback_interface_alone(tmp_path: Path) -> None:
    settings = settings_of_first(tmp_path, 1)

    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:100,CONTROLLER://127.0.0.1:200"
    assert settings["advertised.listeners"] == settings["listeners"]
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["message.max.bytes"] == str(MESSAGE_BYTES_MAX)


@pytest.mark.parametrize(("brokers", "copies", "in_sync_min"), [(1, "1", "1"), (3, "3", "2")])
def test_every_internal_topic_has_a_copy_on_each_broker(
    tmp_path: Path, brokers: int, copies: str, in_sync_min: str
) -> None:
    settings = settings_of_first(tmp_path, brokers)

    assert {value for name, value in settings.items() if name.endswith("replication.factor")} == {copies}
    assert settings["min.insync.replicas"] == in_sync_min
    assert settings["controller.quorum.bootstrap.servers"].count(",") == brokers - 1


def test_clients_of_the_second_listener_are_told_the_proxys_address(tmp_path: Path) -> None:
    settings = settings_of_first(tmp_path, 1, ProxiedListener(port=300, advertised_port=400))

    assert settings["listeners"].endswith(",PROXIED://127.0.0.1:300")
    assert settings["advertised.listeners"].endswith(",PROXIED://127.0.0.1:400")
    assert settings["advertised.listeners"].startswith("PLAINTEXT://127.0.0.1:100,")
    assert "PROXIED:PLAINTEXT" in settings["listener.security.protocol.map"]
