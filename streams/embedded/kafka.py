"""Apache Kafka in KRaft mode as child processes: one broker for daily use, three for fault tests."""

import asyncio
import shutil
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from streams.embedded import ports
from streams.embedded.errors import EmbeddedError
from streams.embedded.home_lock import HomeLock
from streams.embedded.jars import OnProgress, maven_fetch, pinned_jars, resolve_jars
from streams.embedded.kafka_cluster import BROKER_COUNTS, Broker, Cluster, load_or_create
from streams.embedded.kafka_files import (
    JAVA_FILE,
    SERVER_FILE,
    ProxiedListener,
    java_program,
    log_path,
    write_files,
)
from streams.embedded.kafka_probe import brokers_seen
from streams.embedded.processes import ChildProcess, end_leftovers, run_blocking

START_S_MAX: Final = 90.0
"""From process start until clients are served; 2 s for one broker on an idle machine."""
FORMAT_S_MAX: Final = 60.0
STOP_S_MAX: Final = 15.0
FORMATTED_FILE: Final = "formatted"


class EmbeddedKafka:
    """Apache Kafka on 127.0.0.1, its data in `<home>/kafka`, its logs in `<home>/logs/kafka-N.log`.

    Ports are chosen at the first start and kept as long as they are free. Nothing here belongs to an event
    loop: one loop may start it and another stop it. Calls must not overlap.

    Args:
        home: Pressline's data folder.
        brokers: 1 or 3.
        proxied: of each broker a second listener that a proxy stands before; none outside of fault tests.
        on_progress: told (jars done, jars in all) while the program is fetched and checked, from a thread.

    Raises:
        EmbeddedError: any other number of brokers.
    """

    def __init__(
        self,
        home: Path,
        brokers: int = 1,
        *,
        proxied: Sequence[ProxiedListener] = (),
        on_progress: OnProgress | None = None,
    ) -> None:
        if brokers not in BROKER_COUNTS:
            raise EmbeddedError(f"{brokers} brokers asked for, expected one of {BROKER_COUNTS}")
        self._folder = home.resolve() / "kafka"
        self._broker_count = brokers
        self._proxied = dict(enumerate(proxied))
        self._on_progress = on_progress
        self._lock = HomeLock(self._folder)
        self._abandoned = threading.Event()
        self._cluster: Cluster | None = None
        self._children: dict[int, ChildProcess] = {}

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, as `host:port,host:port`.

        Raises:
            EmbeddedError: it was never started.
        """
        return self._started_cluster().bootstrap_servers

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the brokers that run, by broker index."""
        return tuple(child.pid for _, child in sorted(self._children.items()) if child.running)

    @property
    def ended(self) -> tuple[int, ...]:
        """The indexes of brokers that do not run though nobody stopped or killed them here."""
        return tuple(index for index, child in sorted(self._children.items()) if not child.running)

    async def start(self) -> None:
        """Start all brokers and wait until they serve clients; no change while those not killed here run.

        Brokers that an earlier run left behind on this folder are ended first.

        Raises:
            EmbeddedError: the program cannot be fetched, the folder is in use, or a broker does not start.
        """
        try:
            await run_blocking(self._start, self._abandoned)
        except asyncio.CancelledError:
            self._stop()
            raise

    async def stop(self) -> None:
        """Stop all brokers, within STOP_S_MAX and then by force; stopped again, it is no change."""
        await run_blocking(self._stop, self._abandoned)

    async def kill(self, broker_index: int) -> None:
        """SIGKILL one broker, as a crash would; killed again, it is no change."""
        await run_blocking(partial(self._kill, broker_index), self._abandoned)

    async def restart(self, broker_index: int) -> None:
        """Start one broker anew on its data and its ports, whether it runs or was killed.

        Raises:
            EmbeddedError: Kafka was never started, one of the ports is taken, or the broker does not start.
        """
        await run_blocking(partial(self._restart, broker_index), self._abandoned)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _start(self) -> None:
        if self._children and not self.ended:
            return
        self._lock.acquire()
        try:
            self._start_locked()
        except OSError as error:
            self._stop()
            raise EmbeddedError(
                f"Kafka's folder {self._folder} cannot be used ({error}): expected a disk with space that "
                "this account may write; free space, change the owner or set PRESSLINE_HOME to another "
                "folder"
            ) from error
        except BaseException:
            self._stop()
            raise

    def _start_locked(self) -> None:
        end_leftovers(partial(_is_broker_of, self._folder), ask_with=signal.SIGTERM)
        self._children.clear()
        jars = resolve_jars(pinned_jars(), maven_fetch(), self._report)
        cluster = load_or_create(self._folder, self._broker_count)
        with ThreadPoolExecutor(self._broker_count) as pool:
            tuple(pool.map(partial(self._prepare, cluster, jars), cluster.brokers))
        self._cluster = cluster
        for broker in cluster.brokers:
            self._spawn(broker)
        self._await_brokers(cluster.brokers, expected=len(cluster.brokers))

    def _report(self, done: int, total: int) -> None:
        if self._abandoned.is_set():
            raise EmbeddedError(f"the start was abandoned on request, {done} of {total} jars ready")
        if self._on_progress is not None:
            self._on_progress(done, total)

    def _prepare(self, cluster: Cluster, jars: tuple[Path, ...], broker: Broker) -> None:
        folder = self._broker_folder(broker.index)
        folder.mkdir(exist_ok=True)
        proxied = self._proxied.get(broker.index)
        write_files(folder, broker, cluster, jars, proxied)
        if (folder / FORMATTED_FILE).exists():
            return
        # No marker, so an earlier format was cut off: no broker has ever run on what it left.
        shutil.rmtree(folder / "data", ignore_errors=True)
        self._format(broker, cluster)
        (folder / FORMATTED_FILE).touch()

    def _format(self, broker: Broker, cluster: Cluster) -> None:
        controllers = ",".join(
            f"{each.index}@{ports.LOOPBACK}:{each.controller_port}:{each.directory_id}"
            for each in cluster.brokers
        )
        options = ("format", "-t", cluster.cluster_id, "--initial-controllers", controllers, "-c")
        tool = self._java("kafka.tools.StorageTool", *options, broker=broker, name="Kafka's storage tool")
        if tool.wait(FORMAT_S_MAX) != 0:
            raise tool.failure("could not lay out the data folder")

    def _spawn(self, broker: Broker) -> None:
        name = f"Kafka broker {broker.index}"
        self._children[broker.index] = self._java("kafka.Kafka", broker=broker, name=name)

    def _java(self, main: str, *options: str, broker: Broker, name: str) -> ChildProcess:
        folder = self._broker_folder(broker.index)
        command: Sequence[str] = (
            java_program(),
            f"@{folder / JAVA_FILE}",
            main,
            *options,
            str(folder / SERVER_FILE),
        )
        return ChildProcess(
            name=name, command=command, folder=folder, log=log_path(self._folder, broker.index)
        )

    def _await_brokers(self, brokers: Sequence[Broker], *, expected: int) -> None:
        for broker in brokers:
            self._children[broker.index].wait_until(
                partial(_serves, broker, expected),
                bound_s=START_S_MAX,
                abandoned=self._abandoned,
            )

    def _stop(self) -> None:
        # Together, not in turn: the last of three would otherwise wait for a majority that has gone.
        with ThreadPoolExecutor(self._broker_count) as pool:
            steps = ((signal.SIGTERM, STOP_S_MAX),)
            tuple(pool.map(lambda child: child.stop(steps), self._children.values()))
        self._children.clear()
        self._lock.release()

    def _kill(self, index: int) -> None:
        child = self._children.pop(index, None)
        if child is not None:
            child.kill()

    def _restart(self, index: int) -> None:
        broker = self._started_cluster().brokers[index]
        child = self._children.pop(index, None)
        if child is not None:
            child.stop(((signal.SIGTERM, STOP_S_MAX),))
        for port in (broker.client_port, broker.controller_port):
            if not ports.is_free(port):
                raise EmbeddedError(
                    f"port {port} of Kafka broker {index} is taken by another program: its clients know it "
                    "by that port; end that program and try again"
                )
        self._spawn(broker)
        self._await_brokers((broker,), expected=1)

    def _started_cluster(self) -> Cluster:
        if self._cluster is None:
            raise EmbeddedError("Kafka was not started yet: call start() first")
        return self._cluster

    def _broker_folder(self, index: int) -> Path:
        return self._folder / f"broker-{index}"


def _serves(broker: Broker, expected: int) -> bool:
    seen = brokers_seen(broker.client_port)
    return broker.index in seen and len(seen) >= expected


def _is_broker_of(folder: Path, process: Any) -> bool:
    command: list[str] = process.cmdline()
    return len(command) > 1 and command[1].startswith(f"@{folder}/broker-")
