"""The network between one worker and all brokers is cut, one way or both ways."""

from ..proxy_rules import BOTH_WAYS, Rule, Way
from ..services import SESSION_TIMEOUT_S
from .fault import Fault

KINDS = (BOTH_WAYS, frozenset({Way.TO_SERVER}), frozenset({Way.TO_CLIENT}))


class Partition(Fault):
    """Nothing passes for longer than the session; then what was under way arrives late, as with real TCP."""

    row = "K6"
    name = "worker cut off from the brokers"
    lasts_s = (SESSION_TIMEOUT_S + 1.5, SESSION_TIMEOUT_S + 5.0)

    async def apply(self) -> None:
        """Cut off a worker that runs."""
        pid = self.cluster.workers.pid(await self.scene.some_worker())
        rule = Rule(client=f"-{pid}-", held=self.scene.chance.choice(KINDS))
        for proxy in self.cluster.services.broker_proxies:
            proxy.strike(rule)

    async def heal(self) -> None:
        """Let everything pass."""
        for proxy in self.cluster.services.broker_proxies:
            proxy.heal()
