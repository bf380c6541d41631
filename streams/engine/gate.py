"""One stage's view of the gates: which of its topics and tenants must wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from processors.gates import Gates
from schemas.base import Lane, Stage
from schemas.scope import Scope, ScopeKind

TENANTS_MAX = 10_000
"""Whose scopes are remembered; what is forgotten is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageGate:
    """What is held back of one stage.

    Attributes:
        gates: of the worker.
        stage: the stage.
        lanes: the lane of each of its topics.
    """

    gates: Gates
    stage: Stage
    lanes: Mapping[str, Lane]

    def closed(self, topic: str, tenant: str) -> bool:
        """Whether records of that topic and tenant must wait for now."""
        # Asked for every record, and nearly always nothing is closed.
        return self.gates.any_closed and self.why(topic, tenant) is not None

    def why(self, topic: str, tenant: str) -> str | None:
        """Return why they must wait, or None."""
        return self.gates.why(*self.scopes(topic, tenant))

    def scopes(self, topic: str, tenant: str) -> tuple[Scope, ...]:
        """Return the scopes of records of that topic and tenant."""
        return _scopes(self.stage, self.lanes[topic], tenant)

    async def changed(self, seconds_max: float) -> None:
        """Wait until something opens, `seconds_max` seconds at most."""
        await self.gates.changed(seconds_max)


@lru_cache(TENANTS_MAX)
def _scopes(stage: Stage, lane: Lane, tenant: str) -> tuple[Scope, ...]:
    # While anything is closed they are asked for with every record: made anew, they cost a tenth of its time.
    return Scope(ScopeKind.STAGE, stage), Scope(ScopeKind.LANE, lane), Scope(ScopeKind.TENANT, tenant)
