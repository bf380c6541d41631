"""Requests reach the broker, their answers are lost: whoever asked does not know what became of them."""

import asyncio

from ..passer_by import pass_by
from ..proxy_frames import Api
from ..proxy_rules import Rule
from .fault import Fault

EACH_S = 2.0
STAY_S = 1.0
LOST_IN_TURN = (Api.PRODUCE, Api.OFFSET_COMMIT, Api.HEARTBEAT)


class SwallowedAnswers(Fault):
    """One API after the other; at the end all of them, on connections that then stay silent."""

    row = "K8"
    name = "swallowed answers"
    lasts_s = (3.0, 3.0)

    async def apply(self) -> None:
        """Lose answers, cutting the connection each time; JoinGroup while members have cause to join."""
        for api in LOST_IN_TURN:
            self._strike(Rule(apis=frozenset({api}), swallowed=True))
            await asyncio.sleep(EACH_S)
        self._strike(Rule(apis=frozenset({Api.JOIN_GROUP, Api.SYNC_GROUP}), swallowed=True))
        await pass_by(self.cluster.services.kafka.bootstrap_servers, STAY_S)
        self._strike(Rule(apis=frozenset(LOST_IN_TURN), swallowed=True, silent=True))

    async def heal(self) -> None:
        """Let everything pass."""
        for proxy in self.cluster.services.broker_proxies:
            proxy.heal()

    def _strike(self, rule: Rule) -> None:
        for proxy in self.cluster.services.broker_proxies:
            proxy.strike(rule)
