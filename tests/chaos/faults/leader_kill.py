"""The leader of a partition dies."""

from schemas.base import Lane
from schemas.events import TaskClassified
from streams.topics import topic_name

from ..brokers import leader_of
from .fault import Fault


class LeaderKill(Fault):
    """SIGKILL of the broker that leads a busy partition; a lone broker leads them all."""

    row = "K2"
    name = "leader kill -9"
    lasts_s = (1.0, 6.0)

    async def apply(self) -> None:
        """Look up who leads, and kill that broker."""
        services, chance = self.cluster.services, self.scene.chance
        topic = topic_name(TaskClassified, chance.choice(list(Lane)))
        partition = chance.randrange(self.cluster.options.partitions)
        self._broker = await leader_of(services.kafka.bootstrap_servers, topic, partition)
        await services.kafka.kill(self._broker)

    async def heal(self) -> None:
        """Start it on its data."""
        await self.cluster.services.kafka.restart(self._broker)
