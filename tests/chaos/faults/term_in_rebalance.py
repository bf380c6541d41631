"""A worker is asked to stop while its groups rebalance."""

from ..waiting import until
from .fault import Fault

NEWCOMER = 90


class TermInRebalance(Fault):
    """SIGTERM at the moment at which a new member's joining moves partitions."""

    row = "W3"
    name = "worker SIGTERM in a rebalance"

    async def apply(self) -> None:
        """Let a worker join, and stop another when the first partitions are given out anew."""
        workers = self.cluster.workers
        self._number = await self.scene.some_worker()
        before = workers.assignments()
        workers.start(NEWCOMER)
        await until(lambda: workers.assignments() > before)
        await workers.terminate(self._number)

    async def heal(self) -> None:
        """Put the old worker back in the newcomer's place."""
        self.cluster.workers.start(self._number)
        await self.cluster.workers.ready(self._number)
        await self.cluster.workers.terminate(NEWCOMER)
