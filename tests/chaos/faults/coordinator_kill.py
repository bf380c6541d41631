"""The coordinator of a stage's group dies."""

from streams.pipeline import PIPELINE

from ..brokers import coordinator_of
from .fault import Fault


class CoordinatorKill(Fault):
    """SIGKILL of the broker that keeps a group's members and offsets; another one takes the group over."""

    row = "K3"
    name = "coordinator kill -9"
    brokers_min = 3
    lasts_s = (3.0, 8.0)

    async def apply(self) -> None:
        """Look up who coordinates, and kill that broker."""
        kafka = self.cluster.services.kafka
        group = self.scene.chance.choice([spec.group for spec in PIPELINE.values()])
        self._broker = await coordinator_of(kafka.bootstrap_servers, group)
        await kafka.kill(self._broker)

    async def heal(self) -> None:
        """Start it on its data."""
        await self.cluster.services.kafka.restart(self._broker)
