"""What workers talk to: Kafka, PostgreSQL and the simulated provider, with a fault proxy before each."""

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import orjson

from processors.gateway import catalogue
from streams.embedded import ports
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.kafka_files import ProxiedListener
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.processes import ChildProcess
from streams.preparation import prepare
from streams.settings import Settings

from .proxy import Proxy
from .waiting import answers

ROOT = Path(__file__).parents[2]
RECIPES = Path(__file__).parent / "recipe"
SESSION_TIMEOUT_S = 6.0
DRAIN_S = 10.0
IN_FLIGHT = 100
"""Of a stage and worker: several times what keeps two cores at work. More would only be lost at each kill."""
PROVIDER_STOP_S = 5.0
CALL_DEADLINE_S = 10.0
POSTGRES_PORT = 5432
REQUESTS_PER_MINUTE = 6000
KEY_VARIABLE = "CHAOS_API_KEY"
LATENCY: Mapping[str, object] = {"kind": "log_normal", "median_s": 0.3, "p99_s": 2.0}


class Services:
    """Starts as `pressline up` does, but stays reachable part by part.

    Args:
        home: an empty folder for data, logs and pages.
        brokers: Kafka brokers, 1 or 3.
        partitions: of each topic.
        seed: of the provider's texts and latencies, and of the proxies' jitter.
        api_key: what the provider expects.
    """

    def __init__(self, home: Path, *, brokers: int, partitions: int, seed: int, api_key: str) -> None:
        self.home = home
        self._partitions, self._seed, self._api_key = partitions, seed, api_key
        free = _free_ports()
        listeners = [ProxiedListener(port=next(free), advertised_port=next(free)) for _ in range(brokers)]
        self.kafka = EmbeddedKafka(home, brokers, proxied=listeners)
        self.postgres = EmbeddedPostgres(home)
        self.broker_proxies = tuple(
            Proxy(each.advertised_port, each.port, kafka=True, seed=seed) for each in listeners
        )
        self.provider_proxy = Proxy(next(free), next(free))
        self._database_proxy_port = next(free)
        self._database_proxy: Proxy | None = None
        self.database_there = asyncio.Event()
        self._provider: ChildProcess | None = None

    @property
    def settings(self) -> Settings:
        """Settings with every address, past the proxies."""
        return self._settings(self.kafka.bootstrap_servers, self.postgres.url)

    @property
    def worker_settings(self) -> Settings:
        """Settings with every address, through the proxies."""
        brokers = ",".join(f"{ports.LOOPBACK}:{proxy.port}" for proxy in self.broker_proxies)
        database_url = str(httpx.URL(self.postgres.url).copy_with(port=self.database_proxy.port))
        return self._settings(brokers, database_url)

    @property
    def database_proxy(self) -> Proxy:
        """The proxy before PostgreSQL, whose port is known from its start."""
        if self._database_proxy is None:
            raise RuntimeError("Services.database_proxy before start")
        return self._database_proxy

    @property
    def provider_log(self) -> Path:
        """The ground truth of calls."""
        return self.home / "logs" / "provider.jsonl"

    async def start(self) -> None:
        """Start all of it; create topics and tables.

        Raises:
            EmbeddedError: a part cannot be started; `stop` is due all the same.
        """
        await self.kafka.start()
        await self.postgres.start()
        self.database_there.set()
        await prepare(self.settings)
        database_port = httpx.URL(self.postgres.url).port
        self._database_proxy = Proxy(self._database_proxy_port, database_port or POSTGRES_PORT)
        for proxy in self._proxies:
            await proxy.start()
        self._start_provider()
        await answers(f"http://{ports.LOOPBACK}:{self.provider_proxy.server_port}/healthz")
        self._write_catalogue()

    async def stop(self) -> None:
        """Stop whatever runs."""
        for proxy in self._proxies:
            await proxy.stop()
        if self._provider is not None:
            self._provider.stop(((signal.SIGTERM, PROVIDER_STOP_S),))
        await self.postgres.stop()
        await self.kafka.stop()

    async def behave(self, **changes: object) -> None:
        """Let the provider behave otherwise: the fields of its `ModelBehaviour`; none is as at the start."""
        url = f"http://{ports.LOOPBACK}:{self.provider_proxy.server_port}/simulated/defaults"
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.put(url, json={"latency": LATENCY, **changes})).raise_for_status()

    @property
    def _proxies(self) -> tuple[Proxy, ...]:
        database = () if self._database_proxy is None else (self._database_proxy,)
        return (*self.broker_proxies, self.provider_proxy, *database)

    def _settings(self, brokers: str, database_url: str) -> Settings:
        return Settings.load(
            home=self.home,
            site=self.home / "site",
            recipes=str(RECIPES),
            providers=self._catalogue,
            partitions=self._partitions,
            replication=len(self.broker_proxies),
            ordering="key",
            session_timeout_s=SESSION_TIMEOUT_S,
            drain_s=DRAIN_S,
            in_flight=IN_FLIGHT,
        ).with_addresses(brokers=brokers, database_url=database_url)

    @property
    def _catalogue(self) -> Path:
        return self.home / "catalogue.json"

    def _write_catalogue(self) -> None:
        """The built-in models behind the proxy, with a key, a limit and a deadline of our own."""
        rules = (
            catalogue.default().simulated_at(f"http://{ports.LOOPBACK}:{self.provider_proxy.port}/v1").rules
        )
        content = rules.model_dump(mode="json")
        content["providers"][0] |= {"api_key_env": KEY_VARIABLE, "call_deadline_s": CALL_DEADLINE_S}
        content["providers"][0]["limits"]["requests_per_minute"] = REQUESTS_PER_MINUTE
        self._catalogue.write_bytes(orjson.dumps(content))

    def _start_provider(self) -> None:
        config = self.home / "provider.json"
        behaviour = {"seed": self._seed, "api_key": self._api_key, "defaults": {"latency": LATENCY}}
        config.write_bytes(orjson.dumps(behaviour))
        command = [
            sys.executable,
            "-m",
            "streams.embedded.provider",
            "--port",
            str(self.provider_proxy.server_port),
        ]
        command += ["--log", str(self.provider_log), "--config", str(config)]
        log = self.home / "logs" / "provider.log"
        self._provider = ChildProcess(name="simulated provider", command=command, folder=ROOT, log=log)


def _free_ports() -> Iterator[int]:
    taken: list[int] = []
    while True:  # as many as are asked for
        taken.append(ports.choose(avoid=taken))
        yield taken[-1]
