"""PostgreSQL dies and is away."""

from .fault import Fault


class DatabaseKill(Fault):
    """SIGKILL of all its processes; half a minute later it recovers from its log."""

    row = "S2"
    name = "PostgreSQL kill -9, 30 s away"
    lasts_s = (30.0, 30.0)

    async def apply(self) -> None:
        """Kill it."""
        self.cluster.services.database_there.clear()
        await self.cluster.services.postgres.kill()

    async def heal(self) -> None:
        """Start it on its data."""
        await self.cluster.services.postgres.start()
        self.cluster.services.database_there.set()
