"""Deciding, per request, which fault strikes and how long the answer takes; a replay decides the same."""

from collections import OrderedDict
from dataclasses import dataclass

from streams.embedded.provider.chance import Chance
from streams.embedded.provider.config import (
    SECONDS_MAX,
    Fault,
    FaultShares,
    FixedLatency,
    Latency,
    ProviderConfig,
)

# About 40 MB. A request that comes back after this many others meets the faults of its first time again.
FINGERPRINTS_COUNTED_MAX = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will happen to one admitted request.

    Args:
        fault: The fault that strikes, or none.
        latency_s: Seconds from arrival to answer; for a timeout, until the connection is closed.
        seen: How many times the same request was admitted before.
    """

    fault: Fault | None
    latency_s: float
    seen: int


class Planner:
    """Draws plans.

    Only admitted requests are counted, so that limits, which depend on time, change no plan.

    Args:
        config: How models behave; it may be exchanged while requests are planned.
    """

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._seed = str(config.seed).encode()
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def plan(self, model: str, fingerprint: bytes, forced: Fault | None = None) -> Plan:
        """Decide about one request.

        Args:
            model: Whose behaviour applies.
            fingerprint: Of the request.
            forced: A fault that the caller asked for; it wins over chance.
        """
        seen = self._count(fingerprint)
        behaviour = self.config.behaviour_of(model)
        chance = Chance(b"plan", self._seed, fingerprint, str(seen).encode())
        drawn = draw_fault(behaviour.faults, chance.uniform())
        latency_s = draw_latency(behaviour.latency, chance)
        fault = forced or drawn
        held_s = {Fault.TIMEOUT: behaviour.hang_s, Fault.SLOW: behaviour.slow_s}
        return Plan(fault=fault, latency_s=held_s.get(fault, latency_s) if fault else latency_s, seen=seen)

    def _count(self, fingerprint: bytes) -> int:
        seen = self._seen.pop(fingerprint, 0)
        self._seen[fingerprint] = seen + 1
        if len(self._seen) > FINGERPRINTS_COUNTED_MAX:
            self._seen.popitem(last=False)
        return seen


def draw_fault(shares: FaultShares, uniform: float) -> Fault | None:
    """Return the fault whose share a draw from [0, 1) falls into, or none."""
    edge = 0.0
    for fault, share in shares.laid_out:
        edge += share
        if uniform < edge:
            return fault
    return None


def draw_latency(latency: Latency, chance: Chance) -> float:
    """Return seconds, drawn from the distribution and at most `SECONDS_MAX`."""
    if isinstance(latency, FixedLatency):
        return latency.seconds
    drawn = chance.log_normal(latency.median_s, latency.sigma)
    return min(drawn, SECONDS_MAX)
