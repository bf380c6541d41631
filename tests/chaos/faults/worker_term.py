"""A worker is asked to stop."""

from .fault import Fault


class WorkerTerm(Fault):
    """SIGTERM under load: it drains, leaves its groups and ends; no call is wasted."""

    row = "W2"
    name = "worker SIGTERM"
    lasts_s = (0.0, 2.0)

    async def apply(self) -> None:
        """Stop a worker that runs."""
        self._number = await self.scene.some_worker()
        await self.cluster.workers.terminate(self._number)

    async def heal(self) -> None:
        """Start it again."""
        self.cluster.workers.start(self._number)
        await self.cluster.workers.ready(self._number)
