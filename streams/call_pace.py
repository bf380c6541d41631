"""What model calls of late took, and how many of such calls the providers' limits allow."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.catalogue import LimitRules
from schemas.usage import UsageRecorded

MEAN_WEIGHT = 0.05
"""Weight of the newest call in a running mean: about the last 40 calls count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPace:
    """Running means over the model calls of late; all 0 before the first.

    Attributes:
        call_s: seconds of a call.
        input_tokens: its input.
        output_tokens: its output.
    """

    call_s: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0

    def after(self, call: UsageRecorded) -> "CallPace":
        """Return the pace with one more call."""
        weight = MEAN_WEIGHT if self.call_s else 1.0
        return CallPace(
            call_s=self.call_s + weight * (call.latency_s - self.call_s),
            input_tokens=self.input_tokens + weight * (call.usage.input - self.input_tokens),
            output_tokens=self.output_tokens + weight * (call.usage.output - self.output_tokens),
        )

    def calls_per_s_max(self, providers: Iterable[LimitRules]) -> float:
        """Return how many such calls a second all providers together allow all workers."""
        return sum(self._allowed_per_s(limits) for limits in providers)

    def _allowed_per_s(self, limits: LimitRules) -> float:
        per_minute = (
            (limits.requests_per_minute, 1.0),
            (limits.tokens_per_minute, self.input_tokens + self.output_tokens),
            (limits.input_tokens_per_minute, self.input_tokens),
            (limits.output_tokens_per_minute, self.output_tokens),
        )
        by_rate = (most / each / 60 for most, each in per_minute if most is not None and each)
        by_concurrency = limits.concurrency / self.call_s if self.call_s else math.inf
        return min((by_concurrency, *by_rate))
