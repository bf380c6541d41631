"""Everything that a run needs on this machine: services, simulated provider, workers that can be killed."""

import asyncio
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from streams.embedded import ports
from streams.embedded.errors import EmbeddedError
from streams.embedded.processes import ChildProcess
from streams.settings import Settings, child_environment
from streams.stack import Stack, StackOptions

ROOT = Path(__file__).parents[2]
RECIPES = Path(__file__).parent / "recipe"
SESSION_TIMEOUT_S = 6.0
DRAIN_S = 10.0
STOP_MARGIN_S = 10.0
PROVIDER_STOP_S = 5.0
READY_S_MAX = 60.0
POLL_S = 0.1
LATENCY = {"kind": "log_normal", "median_s": 0.3, "p99_s": 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """What to start.

    Attributes:
        home: an empty folder for data, logs and pages.
        workers: worker processes.
        brokers: Kafka brokers, 1 or 3.
        partitions: of each topic.
        seed: of the provider's texts and latencies.
    """

    home: Path
    workers: int
    brokers: int
    partitions: int
    seed: int


class Cluster:
    """Starts as `pressline up` does, but looks after the workers itself.

    Args:
        options: what to start.
    """

    def __init__(self, options: ClusterOptions) -> None:
        self.self_ended: list[str] = []
        self._options = options
        self._provider: ChildProcess | None = None
        self._stack: Stack | None = None
        self._workers: dict[int, ChildProcess] = {}
        self._web_ports: list[int] = []

    @property
    def settings(self) -> Settings:
        """Settings with every address."""
        if self._stack is None:
            raise RuntimeError("Cluster.settings before start")
        return self._stack.settings

    @property
    def provider_log(self) -> Path:
        """The ground truth of calls."""
        return self._options.home / "logs" / "provider.jsonl"

    @property
    def living(self) -> list[int]:
        """Numbers of the workers that run now."""
        return sorted(number for number, worker in self._workers.items() if worker.running)

    async def start(self) -> None:
        """Start all of it and wait until each worker answers.

        Raises:
            EmbeddedError: a part cannot be started; `stop` is due all the same.
        """
        options, port = self._options, ports.choose()
        base = f"http://{ports.LOOPBACK}:{port}"
        settings = Settings.load(
            home=options.home,
            site=options.home / "site",
            recipes=str(RECIPES),
            partitions=options.partitions,
            replication=options.brokers,
            session_timeout_s=SESSION_TIMEOUT_S,
            drain_s=DRAIN_S,
            simulated_url=f"{base}/v1",
        )
        stack = Stack(settings, StackOptions(workers=0, brokers=options.brokers), lambda _: None)
        await stack.start()
        self._stack = stack
        # After the stack, which takes a provider that runs already for one that an earlier run left behind.
        self._start_provider(port)
        await _answers(f"{base}/healthz")
        for number in range(options.workers):
            self._web_ports.append(ports.choose(avoid=self._web_ports))
            self.start_worker(number)
        await asyncio.gather(*(_answers(f"http://{ports.LOOPBACK}:{p}/health") for p in self._web_ports))

    def start_worker(self, number: int) -> None:
        """Start the worker of that number."""
        port = str(self._web_ports[number])
        self._workers[number] = ChildProcess(
            name=f"worker {number}",
            command=[sys.executable, "-m", "streams", "worker", "--web-port", port],
            folder=ROOT,
            log=self._worker_log(number),
            environment=child_environment(self.settings),
        )

    async def kill_worker(self, number: int) -> int:
        """SIGKILL the worker of that number and return its process id."""
        worker = self._workers.pop(number)
        await asyncio.to_thread(worker.kill)
        return worker.pid

    def replace_ended(self) -> None:
        """Start workers again that ended by themselves, and note it."""
        for number, worker in list(self._workers.items()):
            if not worker.running:
                self.self_ended.append(str(worker.failure("ended by itself")))
                self.start_worker(number)

    async def stop_workers(self) -> None:
        """SIGTERM to all; calls in flight end first."""
        steps = ((signal.SIGTERM, DRAIN_S + STOP_MARGIN_S),)
        await asyncio.gather(*(asyncio.to_thread(worker.stop, steps) for worker in self._workers.values()))
        self._workers.clear()

    async def stop(self) -> None:
        """Stop whatever runs."""
        await self.stop_workers()
        if self._provider is not None:
            await asyncio.to_thread(self._provider.stop, ((signal.SIGTERM, PROVIDER_STOP_S),))
        if self._stack is not None:
            await self._stack.stop()

    def assignments(self) -> int:
        """Return how often a worker was given partitions of a stage: each rebalance counts once a member."""
        logs = [self._worker_log(number) for number in range(self._options.workers)]
        return sum(log.read_text(errors="replace").count("partitions assigned, share") for log in logs)

    def _start_provider(self, port: int) -> None:
        options = self._options
        config = options.home / "provider.json"
        config.write_bytes(orjson.dumps({"seed": options.seed, "defaults": {"latency": LATENCY}}))
        command = [sys.executable, "-m", "streams.embedded.provider", "--port", str(port)]
        command += ["--log", str(self.provider_log), "--config", str(config)]
        log = options.home / "logs" / "provider.log"
        self._provider = ChildProcess(name="simulated provider", command=command, folder=ROOT, log=log)

    def _worker_log(self, number: int) -> Path:
        return self._options.home / "logs" / f"worker-{number}.log"


async def _answers(url: str) -> None:
    """Wait until `url` answers well.

    Raises:
        EmbeddedError: it did not within READY_S_MAX.
    """
    deadline_s = time.monotonic() + READY_S_MAX
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline_s:
            with suppress(httpx.HTTPError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(POLL_S)
    raise EmbeddedError(f"{url} did not answer within {READY_S_MAX:.0f} s; the logs say why")
