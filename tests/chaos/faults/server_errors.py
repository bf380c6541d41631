"""The provider fails."""

from .fault import Fault


class ServerErrors(Fault):
    """500 and 503 to most requests."""

    row = "L2"
    name = "5xx"
    lasts_s = (5.0, 5.0)

    async def apply(self) -> None:
        """Fail."""
        await self.cluster.services.behave(faults={"http_500": 0.3, "http_503": 0.3})

    async def heal(self) -> None:
        """Answer again."""
        await self.cluster.services.behave()
