"""What a data folder says about its Kafka: who the brokers are and which ports they listen on."""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from streams.embedded import ports
from streams.embedded.errors import EmbeddedError

CLUSTER_FILE: Final = "cluster.json"
BROKER_COUNTS: Final = (1, 3)
"""One for daily use, three for fault tests: with two, the loss of either stops both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One combined broker and controller."""

    index: int
    directory_id: str
    client_port: int
    controller_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The brokers that share a data folder."""

    cluster_id: str
    brokers: tuple[Broker, ...]

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, as `host:port,host:port`."""
        return ",".join(f"{ports.LOOPBACK}:{broker.client_port}" for broker in self.brokers)

    @property
    def controllers(self) -> str:
        """Where the controllers find each other, as `host:port,host:port`."""
        return ",".join(f"{ports.LOOPBACK}:{broker.controller_port}" for broker in self.brokers)


def load_or_create(folder: Path, brokers: int) -> Cluster:
    """Return the folder's cluster with ports that are free now, and remember it.

    Raises:
        EmbeddedError: the folder holds another number of brokers, its description is damaged, or a port that
            must stay the same is taken.
    """
    path = folder / CLUSTER_FILE
    cluster = _load(path, brokers) if path.exists() else _create(brokers)
    cluster = with_free_ports(cluster)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(orjson.dumps(asdict(cluster), option=orjson.OPT_INDENT_2))
    scratch.replace(path)
    return cluster


def with_free_ports(cluster: Cluster) -> Cluster:
    """Give each broker whose remembered port is taken another one.

    Raises:
        EmbeddedError: a controller's port of several is taken. They have it in their metadata as each other's
            address, and agree on a new one only while a majority of them can talk.
    """
    taken: set[int] = {
        port for broker in cluster.brokers for port in (broker.client_port, broker.controller_port)
    }
    chosen: list[Broker] = []
    for broker in cluster.brokers:
        if len(cluster.brokers) > 1 and not ports.is_free(broker.controller_port):
            raise EmbeddedError(
                f"port {broker.controller_port} of Kafka controller {broker.index} is taken by another "
                f"program: {len(cluster.brokers)} brokers keep their controllers' ports; end that program, "
                "or delete the data folder (which loses its data)"
            )
        client_port = _kept_or_new(broker.client_port, taken)
        controller_port = _kept_or_new(broker.controller_port, taken)
        chosen.append(replace(broker, client_port=client_port, controller_port=controller_port))
    return replace(cluster, brokers=tuple(chosen))


def _kept_or_new(port: int, taken: set[int]) -> int:
    if ports.is_free(port):
        return port
    port = ports.choose(avoid=taken)
    taken.add(port)
    return port


def _create(brokers: int) -> Cluster:
    chosen: list[int] = []
    for _ in range(2 * brokers):
        chosen.append(ports.choose(avoid=chosen))
    return Cluster(cluster_id=_kafka_id(), brokers=tuple(_broker(index, chosen) for index in range(brokers)))


def _broker(index: int, chosen: Sequence[int]) -> Broker:
    return Broker(
        index=index,
        directory_id=_kafka_id(),
        client_port=chosen[2 * index],
        controller_port=chosen[2 * index + 1],
    )


def _kafka_id() -> str:
    # Kafka writes a UUID as 22 characters; with the first bit unset none begins with a hyphen.
    value = bytearray(uuid.uuid4().bytes)
    value[0] &= 0x7F
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _load(path: Path, brokers: int) -> Cluster:
    try:
        fields = orjson.loads(path.read_bytes())
        found = tuple(Broker(**broker) for broker in fields["brokers"])
        cluster = Cluster(cluster_id=fields["cluster_id"], brokers=found)
    except (ValueError, TypeError, KeyError) as error:
        raise EmbeddedError(
            f"{path} is damaged ({type(error).__name__}: {error}): expected the description of the brokers "
            "whose data lies beside it; put back a copy, or delete the folder (which loses its data)"
        ) from error
    if len(found) != brokers:
        raise EmbeddedError(
            f"{path.parent} holds the data of {len(found)} Kafka broker(s), {brokers} asked for: start with "
            f"{len(found)}, or set PRESSLINE_HOME to another folder"
        )
    return cluster
