"""Kafka, PostgreSQL, simulated provider and workers on this machine, started and stopped together."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from streams import run_file
from streams.embedded import ports
from streams.embedded.errors import EmbeddedError
from streams.embedded.home_lock import HomeLock
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.processes import ChildProcess, end_leftovers
from streams.models import configured_catalogue, missing_keys
from streams.preparation import prepare
from streams.settings import Settings, child_environment

WATCH_S = 0.5
READY_S_MAX = 60.0
PROVIDER_STOP_S = 5.0
STOP_MARGIN_S = 10.0
RESTARTS_MAX = 5
RESTARTS_WINDOW_S = 60.0
PROVIDER_LOG = "provider.jsonl"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What to start.

    Attributes:
        workers: worker processes, each running every stage.
        brokers: Kafka brokers, 1 or 3.
        provider_config: configuration of the simulated provider, or None for its defaults.
    """

    workers: int = 1
    brokers: int = 1
    provider_config: Path | None = None


class Stack:
    """Everything on this machine.

    Args:
        settings: folders and bounds; its brokers and database, where set, are used in place of embedded ones.
        options: what to start.
        report: told each step in words.
    """

    def __init__(self, settings: Settings, options: StackOptions, report: Callable[[str], None]) -> None:
        self._settings = settings
        self._options = options
        self._report = report
        self._lock = HomeLock(settings.home)
        self._kafka: EmbeddedKafka | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._provider: ChildProcess | None = None
        self._workers: list[ChildProcess] = []
        self._restarts: deque[float] = deque()

    @property
    def settings(self) -> Settings:
        """The settings, with the addresses of what was started filled in."""
        return self._settings

    @property
    def pids(self) -> dict[str, tuple[int, ...]]:
        """The process ids of what was started, by part."""
        return {
            "kafka": self._kafka.pids if self._kafka else (),
            "postgres": self._postgres.pids if self._postgres else (),
            "provider": (self._provider.pid,) if self._provider else (),
            "workers": tuple(worker.pid for worker in self._workers),
        }

    async def start(self) -> None:
        """Start what is not configured elsewhere, create topics and tables, start the workers.

        Raises:
            EmbeddedError: a part cannot be started; what was started is stopped again.
        """
        self._lock.acquire()
        try:
            self._end_leftovers()
            await self._start_services()
            await self._prepare()
            self._start_workers()
            self._tell(ready=False)
            await self._workers_ready()
            self._tell(ready=True)
        except BaseException:
            await self.stop()
            raise

    async def watch(self, stop: asyncio.Event) -> None:
        """Keep the workers and the provider running until `stop` is set.

        Raises:
            EmbeddedError: a service died, or workers keep dying.
        """
        while not stop.is_set():
            self._services_alive()
            for index, worker in enumerate(self._workers):
                if not worker.running:
                    self._count_restart(worker)
                    self._workers[index] = self._worker(index)
            if self._provider is not None and not self._provider.running:
                self._count_restart(self._provider)
                self._provider = self._provider_process(self._provider_port)
            try:
                await asyncio.wait_for(stop.wait(), WATCH_S)
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Stop everything in order: workers drain, then provider, PostgreSQL, Kafka."""
        run_file.remove(self._settings.home)
        steps = ((signal.SIGTERM, self._settings.drain_s + STOP_MARGIN_S),)
        await asyncio.gather(*(asyncio.to_thread(worker.stop, steps) for worker in self._workers))
        if self._provider is not None:
            await asyncio.to_thread(self._provider.stop, ((signal.SIGTERM, PROVIDER_STOP_S),))
        for service in (self._postgres, self._kafka):
            if service is not None:
                await service.stop()
        self._lock.release()

    # Services -------------------------------------------------------------------------------------------

    async def _start_services(self) -> None:
        home, found = self._settings.home, {}
        starts = []
        if self._settings.brokers is None:
            self._kafka = EmbeddedKafka(home, self._options.brokers, on_progress=self._report_jars)
            starts.append(self._kafka.start())
        if self._settings.database_url is None:
            self._postgres = EmbeddedPostgres(home)
            starts.append(self._postgres.start())
        await asyncio.gather(*starts)
        if self._kafka is not None:
            found["brokers"] = self._kafka.bootstrap_servers
        if self._postgres is not None:
            found["database_url"] = self._postgres.url
        if self._settings.simulated_url is None and missing_keys(configured_catalogue(self._settings)):
            found["simulated_url"] = await self._start_provider()
        self._settings = self._settings.with_addresses(**found)

    async def _start_provider(self) -> str:
        self._provider_port = ports.choose()
        self._provider = self._provider_process(self._provider_port)
        base = f"http://127.0.0.1:{self._provider_port}"
        await _answers(f"{base}/healthz", self._provider)
        return f"{base}/v1"

    def _provider_process(self, port: int) -> ChildProcess:
        logs = self._settings.home.resolve() / "logs"
        command = [sys.executable, "-m", "streams.embedded.provider", "--port", str(port)]
        command += ["--log", str(logs / PROVIDER_LOG)]
        if self._options.provider_config is not None:
            command += ["--config", str(self._options.provider_config.resolve())]
        return ChildProcess(
            name="simulated provider", command=command, folder=Path.cwd(), log=logs / "provider.log"
        )

    async def _prepare(self) -> None:
        created = await prepare(self._settings)
        self._report(f"topics: {len(created)} created" if created else "topics: all there")

    def _services_alive(self) -> None:
        if self._kafka is not None and self._kafka.ended:
            raise EmbeddedError(f"Kafka ended by itself; its log is in {self._settings.home / 'logs'}")
        if self._postgres is not None and self._postgres.ended:
            raise EmbeddedError(f"PostgreSQL ended by itself; its log is in {self._settings.home / 'logs'}")

    def _report_jars(self, done: int, total: int) -> None:
        if done == total:
            self._report(f"Apache Kafka's {total} jars are there and verified")

    # Workers --------------------------------------------------------------------------------------------

    def _start_workers(self) -> None:
        self._web_ports: list[int] = []
        for _ in range(self._options.workers):
            self._web_ports.append(ports.choose(avoid=self._web_ports))
        self._workers = [self._worker(index) for index in range(self._options.workers)]

    def _tell(self, *, ready: bool) -> None:
        settings = self._settings
        run_file.write(
            settings.home,
            run_file.RunFile(
                pid=os.getpid(),
                brokers=settings.need_brokers(),
                database_url=settings.need_database(),
                simulated_url=settings.simulated_url,
                web_ports=tuple(self._web_ports),
                ready=ready,
            ),
        )

    def _worker(self, index: int) -> ChildProcess:
        name = self._settings.instance_id
        settings = self._settings.model_copy(update={"instance_id": name and f"{name}-{index}"})
        return ChildProcess(
            name=f"worker {index}",
            command=[sys.executable, "-m", "streams", "worker", "--web-port", str(self._web_ports[index])],
            folder=Path.cwd(),
            log=self._settings.home.resolve() / "logs" / f"worker-{index}.log",
            environment=child_environment(settings),
        )

    async def _workers_ready(self) -> None:
        urls = [f"http://127.0.0.1:{port}/health" for port in self._web_ports]
        await asyncio.gather(*(_answers(u, w) for u, w in zip(urls, self._workers, strict=True)))

    def _count_restart(self, child: ChildProcess) -> None:
        """Raise when children died too often of late; else note one more restart."""
        now_s = time.monotonic()
        while self._restarts and now_s - self._restarts[0] > RESTARTS_WINDOW_S:
            self._restarts.popleft()
        if len(self._restarts) >= RESTARTS_MAX:
            raise child.failure(f"ended, after {RESTARTS_MAX} restarts in {RESTARTS_WINDOW_S:.0f} s")
        self._restarts.append(now_s)
        self._report(f"{child.name} ended by itself and is started again")

    def _end_leftovers(self) -> None:
        """End workers and providers that a killed run left behind: they hold ports and leases."""
        end_leftovers(partial(_left_behind, self._settings.home.resolve()), ask_with=signal.SIGKILL)


async def started(stack: Stack, stop: asyncio.Event) -> bool:
    """Start a stack unless `stop` is set before it is up.

    Returns:
        Whether it is up; where not, what was started is stopped again.

    Raises:
        EmbeddedError: a part cannot be started.
    """
    starting = asyncio.ensure_future(stack.start())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    starting.cancel()  # no change once it is done
    await asyncio.wait((starting,))
    if starting.cancelled():
        return False
    starting.result()
    return True


def _left_behind(home: Path, process: Any) -> bool:
    """Tell whether a process, as psutil describes it, is a worker or the provider of this home."""
    command: list[str] = process.cmdline()
    if "streams.embedded.provider" in command:
        return str(home / "logs" / PROVIDER_LOG) in command
    environment: dict[str, str] = process.environ() if {"streams", "worker"} <= set(command) else {}
    return environment.get("PRESSLINE_HOME") == str(home)


async def _answers(url: str, child: ChildProcess) -> None:
    """Wait until `url` answers 200.

    Raises:
        EmbeddedError: the process ended, or READY_S_MAX passed.
    """
    deadline_s = time.monotonic() + READY_S_MAX
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline_s:
            if not child.running:
                raise child.failure("ended at start, expected it to stay")
            try:
                if (await client.get(url)).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    raise child.failure(f"did not answer on {url} within {READY_S_MAX:.0f} s")
