"""The provider refuses everything for a while."""

import asyncio

from .fault import Fault

STORM_S = 2.5
RETRY_AFTER_S = 2.0


class RateLimitStorm(Fault):
    """429 to every request, first with Retry-After, then without."""

    row = "L1"
    name = "storm of 429"

    async def apply(self) -> None:
        """Refuse."""
        for retry_after_s in (RETRY_AFTER_S, None):
            await self.cluster.services.behave(faults={"http_429": 1.0}, retry_after_s=retry_after_s)
            await asyncio.sleep(STORM_S)

    async def heal(self) -> None:
        """Answer again."""
        await self.cluster.services.behave()
