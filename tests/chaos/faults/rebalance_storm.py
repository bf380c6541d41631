"""Members come and go: each time all partitions move."""

from ..passer_by import pass_by
from .fault import Fault

PASSES = 6
STAY_S = 1.0


class RebalanceStorm(Fault):
    """A member joins and leaves all groups every two seconds or so."""

    row = "R1"
    name = "rebalance storm"

    async def apply(self) -> None:
        """Let it come and go."""
        for _ in range(PASSES):
            await pass_by(self.cluster.services.kafka.bootstrap_servers, STAY_S)
