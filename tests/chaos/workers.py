"""Worker processes that can be killed, paused and asked to stop."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from streams.embedded import ports
from streams.embedded.processes import ChildProcess

from .services import DRAIN_S, ROOT
from .waiting import answers

STOP_MARGIN_S = 10.0


class Workers:
    """The worker processes, by number.

    Args:
        logs: folder of their logs.
        environment: of each of them.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.self_ended: list[str] = []
        self._logs = logs
        self._environment = environment
        self._running: dict[int, ChildProcess] = {}
        self._web_ports: dict[int, int] = {}

    @property
    def living(self) -> list[int]:
        """Numbers of the workers that run now."""
        return sorted(number for number, worker in self._running.items() if worker.running)

    def start(self, number: int) -> None:
        """Start the worker of that number."""
        if number not in self._web_ports:
            self._web_ports[number] = ports.choose(avoid=self._web_ports.values())
        port = str(self._web_ports[number])
        self._running[number] = ChildProcess(
            name=f"worker {number}",
            command=[sys.executable, "-m", "streams", "worker", "--web-port", port],
            folder=ROOT,
            log=self._logs / f"worker-{number}.log",
            environment=self._environment,
        )

    async def ready(self, number: int) -> None:
        """Wait until the worker of that number is in all its groups.

        Raises:
            EmbeddedError: it is not in time.
        """
        await answers(f"http://{ports.LOOPBACK}:{self._web_ports[number]}/health")

    def pid(self, number: int) -> int:
        """Return its process id."""
        return self._running[number].pid

    async def kill(self, number: int) -> int:
        """SIGKILL it and return its process id."""
        worker = self._running.pop(number)
        await asyncio.to_thread(worker.kill)
        return worker.pid

    async def terminate(self, number: int) -> None:
        """SIGTERM it and wait for its end; calls in flight end first."""
        worker = self._running.pop(number, None)
        if worker is not None:
            steps = ((signal.SIGTERM, DRAIN_S + STOP_MARGIN_S),)
            await asyncio.to_thread(worker.stop, steps)

    def replace_ended(self) -> None:
        """Start workers again that ended by themselves, and note it."""
        for number, worker in list(self._running.items()):
            if not worker.running:
                self.self_ended.append(str(worker.failure("ended by itself")))
                self.start(number)

    async def save_metrics(self) -> None:
        """Keep what each worker's metrics say now, beside its log."""
        async with httpx.AsyncClient(trust_env=False) as client:
            for number in self.living:
                url = f"http://{ports.LOOPBACK}:{self._web_ports[number]}/metrics"
                with suppress(httpx.HTTPError):  # it stops just now, or hangs: others say so
                    text = (await client.get(url)).text
                    (self._logs / f"worker-{number}.metrics").write_text(text)

    async def stop(self) -> None:
        """SIGTERM to all; calls in flight end first."""
        await asyncio.gather(*(self.terminate(number) for number in list(self._running)))

    def assignments(self) -> int:
        """Return how often a worker was given partitions of a stage: each rebalance counts once a member."""
        logs = self._logs.glob("worker-*.log")
        return sum(log.read_text(errors="replace").count("partitions assigned, share") for log in logs)
