"""The provider works and bills, and its answers do not arrive."""

from ..services import CALL_DEADLINE_S
from .fault import Fault

SLOW = {"kind": "log_normal", "median_s": 1.0, "p99_s": 1.4 * CALL_DEADLINE_S}


class LostAnswers(Fault):
    """Connections that close unanswered, and answers that come after the deadline of the call."""

    row = "L3"
    name = "timeouts and late answers"
    lasts_s = (5.0, 5.0)

    async def apply(self) -> None:
        """Lose answers."""
        await self.cluster.services.behave(faults={"timeout": 0.3}, hang_s=3.0, latency=SLOW)

    async def heal(self) -> None:
        """Answer again."""
        await self.cluster.services.behave()
