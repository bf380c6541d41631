"""The leader of most partitions dies."""

import logging

from streams.pipeline import PIPELINE

from ..brokers import leaders_of
from .fault import Fault

WORKED_ON = tuple(topic for spec in PIPELINE.values() for topic in spec.topics)

log = logging.getLogger(__name__)


class LeaderKill(Fault):
    """SIGKILL of the broker that leads most of the partitions under work; a lone broker leads them all."""

    row = "K2"
    name = "leader kill -9"
    # With three brokers it is missed after six seconds: back before that, or after others took over.
    lasts_s = (1.0, 12.0)

    async def apply(self) -> None:
        """Look up who leads, and kill that broker."""
        kafka = self.cluster.services.kafka
        leaders = await leaders_of(kafka.bootstrap_servers, WORKED_ON)
        [(self._broker, leads)] = leaders.most_common(1)
        log.info("broker %d leads %d of %d partitions under work", self._broker, leads, leaders.total())
        await kafka.kill(self._broker)

    async def heal(self) -> None:
        """Start it on its data."""
        await self.cluster.services.kafka.restart(self._broker)
