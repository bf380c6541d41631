"""What a scenario plays on: Kafka, PostgreSQL, simulated provider, workers, a load, and who watches."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from chaos.collect import parse_call
from fixtures.worker import Deployment
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.processes import ChildProcess

from .findings import Bar
from .load import LONG_MODEL, Load, partition_of, write_recipes
from .watcher import Watcher

PARTITIONS = 8
"""What `Deployment` creates."""
CALL_DEADLINE_S = 120.0
CONCURRENCY = 10_000
"""So that no limit of a provider binds: what stands still, stands still for another reason."""
WORKER_SETTINGS = {"IN_FLIGHT": 5000}
POLL_S = 0.1
MODELS = {"gpt-5-nano": "small", "gpt-5-mini": "mid", LONG_MODEL: "frontier"}


@dataclass(frozen=True, slots=True)
class Running:
    """A worker process, the address of its pages, and its log."""

    child: ChildProcess
    address: str
    log: Path

    def said(self, words: str) -> int:
        """Return how often its log has these words."""
        return self.log.read_text(errors="replace").count(words)


class Scene:
    """Everything of one scenario, started and stopped together.

    Args:
        folder: an empty one, for data, logs and pages.
        tell: told each step in words.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.tell = tell
        self.kafka = EmbeddedKafka(folder)
        self.postgres = EmbeddedPostgres(folder)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.kafka)
            await stack.enter_async_context(self.postgres)
            brokers = self.kafka.bootstrap_servers
            self.deployment = Deployment(brokers, self.postgres.url, self.folder)
            await self.deployment.start()
            stack.push_async_callback(self.deployment.stop)
            self.watcher = await stack.enter_async_context(Watcher(brokers, PARTITIONS))
            self.load = Load(brokers, PARTITIONS)
            await self.load.start()
            stack.push_async_callback(self.load.stop)
            self._recipes = write_recipes(self.folder / "recipes")
            self._catalogue = self.folder / "catalogue.yaml"
            self._catalogue.write_text(yaml.safe_dump(_catalogue()))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start_provider(self, *, short_s: float, long_s: float) -> None:
        """Start the simulated provider, whose calls take so many seconds by recipe."""
        fixed = {"kind": "fixed"}
        await self.deployment.start_provider(
            {LONG_MODEL: {"latency": {**fixed, "seconds": long_s}}}, latency={**fixed, "seconds": short_s}
        )

    async def start_worker(self, **settings: object) -> Running:
        """Start a worker and wait until all its stages hold partitions."""
        ours: dict[str, Any] = {**WORKER_SETTINGS, "PROVIDERS": self._catalogue, "RECIPES": self._recipes}
        child, address = await self.deployment.start_worker(**{**ours, **settings})
        return Running(child, address, self.folder / f"{child.name}.log")

    def calls_under_way(self) -> int:
        """Return how many requests the provider has and has not answered."""
        answered = len(self.deployment.provider_lines("answered"))  # read first: never more than requests
        return len(self.deployment.provider_lines("request")) - answered

    def call_starts(self) -> list[tuple[int, float]]:
        """Return partition and monotonic time of each request that the provider has had."""
        return [
            (partition_of(line["task"].encode(), PARTITIONS), line["monotonic"])
            for line in self.deployment.provider_lines("request")
        ]

    async def finished(self, within_s: float) -> None:
        """Wait until every task that was accepted has ended, or `within_s` seconds have passed."""
        await self.until(lambda: self.load.submitted.keys() <= self.watcher.ended, within_s)

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until it holds, `within_s` seconds at most; return whether it does."""
        deadline_s = time.monotonic() + within_s
        while not (held := holds()) and time.monotonic() < deadline_s:  # noqa: ASYNC110 - no event of ours is set
            await asyncio.sleep(POLL_S)
        return held

    def nothing_lost_or_repeated(self) -> tuple[Bar, ...]:
        """Return the bars that every scenario must hold at its end.

        Repeated: by the provider's own log, a request for a call (revision and step) that it had had a
        request for before. The rest: see `nothing_lost`.
        """
        calls = [parse_call(line["call"]) for line in self.deployment.provider_lines("request")]
        unique = {(call.revision, call.step) for call in calls}
        return (*self.nothing_lost(), Bar(name="calls repeated", measured=len(calls) - len(unique), bound=0))

    def nothing_lost(self) -> tuple[Bar, ...]:
        """Return two of these bars.

        Lost: accepted and not ended. Not published: ended otherwise, such as in a dead letter.
        """
        outcomes = Counter(finish.outcome for finish in self.watcher.finishes)
        return (
            Bar(name="tasks lost", measured=len(self.load.submitted.keys() - self.watcher.ended), bound=0),
            Bar(name="tasks not published", measured=outcomes.total() - outcomes["published"], bound=0),
        )


def _catalogue() -> dict[str, object]:
    provider = {
        "name": "simulated",
        "simulated": True,
        "call_deadline_s": CALL_DEADLINE_S,
        "limits": {"concurrency": CONCURRENCY},
    }
    return {
        "providers": [provider],
        "models": [
            {
                "name": name,
                "provider": "simulated",
                "tier": tier,
                "price": {"provider": "openai", "model": name},
                "context_tokens": 400000,
            }
            for name, tier in MODELS.items()
        ],
    }
