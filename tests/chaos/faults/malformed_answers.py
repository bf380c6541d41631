"""The provider answers nonsense."""

from .fault import Fault

SHARES = {"malformed": 0.2, "truncated_body": 0.2, "wrong_schema": 0.1, "truncated_content": 0.1}


class MalformedAnswers(Fault):
    """Bodies that are not JSON or are cut off, and texts that do not fit the schema."""

    row = "L5"
    name = "malformed answers"
    lasts_s = (5.0, 5.0)

    async def apply(self) -> None:
        """Answer badly."""
        await self.cluster.services.behave(faults=SHARES)

    async def heal(self) -> None:
        """Answer well again."""
        await self.cluster.services.behave()
