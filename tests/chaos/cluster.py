"""Everything that a run needs on this machine: services, and workers on them."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from streams.settings import child_environment

from .services import KEY_VARIABLE, Services
from .workers import Workers


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
    """Services and workers, started and stopped together.

    Args:
        options: what to start.
    """

    def __init__(self, options: ClusterOptions) -> None:
        self.options = options
        self.api_key = f"sk-chaos-{secrets.token_hex(16)}"
        self.services = Services(
            options.home,
            brokers=options.brokers,
            partitions=options.partitions,
            seed=options.seed,
            api_key=self.api_key,
        )
        self._workers: Workers | None = None

    @property
    def workers(self) -> Workers:
        """The workers."""
        if self._workers is None:
            raise RuntimeError("Cluster.workers before start")
        return self._workers

    async def start(self) -> None:
        """Start all of it and wait until each worker is in its groups.

        Raises:
            EmbeddedError: a part cannot be started; `stop` is due all the same.
        """
        await self.services.start()
        environment = child_environment(self.services.worker_settings) | {KEY_VARIABLE: self.api_key}
        self._workers = Workers(self.options.home / "logs", environment)
        for number in range(self.options.workers):
            self._workers.start(number)
        for number in range(self.options.workers):
            await self._workers.ready(number)

    async def stop(self) -> None:
        """Stop whatever runs."""
        if self._workers is not None:
            await self._workers.stop()
        await self.services.stop()
