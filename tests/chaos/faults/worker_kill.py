"""A worker dies."""

from .fault import Fault


class WorkerKill(Fault):
    """SIGKILL; a new one is started at once or later."""

    row = "W1"
    name = "worker kill -9"
    lasts_s = (0.0, 8.0)

    async def apply(self) -> None:
        """Kill a worker that runs."""
        self._number = await self.scene.some_worker()
        pid = await self.cluster.workers.kill(self._number)
        await self.scene.interrupted(self.row, pid)

    async def heal(self) -> None:
        """Start it again; without a database it would give up after ten seconds."""
        await self.cluster.services.database_there.wait()
        self.cluster.workers.start(self._number)
