"""A broker is restarted in order."""

from .fault import Fault


class BrokerRestart(Fault):
    """SIGTERM and a new process on the same data."""

    row = "K1"
    name = "broker restart"

    async def apply(self) -> None:
        """Restart one."""
        broker = self.scene.chance.randrange(self.cluster.options.brokers)
        await self.cluster.services.kafka.restart(broker)
