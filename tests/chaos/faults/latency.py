"""The network is slow."""

from ..proxy_rules import Rule
from .fault import Fault

SLOW = Rule(delay_s=0.1, jitter_s=0.05)


class Latency(Fault):
    """100 ms and up to 50 more or less, each way, between workers, brokers and PostgreSQL."""

    row = "K7"
    name = "latency"
    lasts_s = (6.0, 6.0)

    async def apply(self) -> None:
        """Slow everything down."""
        for proxy in (*self.cluster.services.broker_proxies, self.cluster.services.database_proxy):
            proxy.strike(SLOW)

    async def heal(self) -> None:
        """Let everything pass."""
        for proxy in (*self.cluster.services.broker_proxies, self.cluster.services.database_proxy):
            proxy.heal()
