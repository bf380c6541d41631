"""Heals a stalled stage once by joining its group anew; then ends the worker, for its supervisor."""

import asyncio
import logging
import time

from aiokafka.errors import KafkaError

from schemas.base import Stage
from schemas.why import Cause, StageWhy
from streams.engine.consumer import StageConsumer
from streams.engine.stall import Pulse, StallDetector, Step
from streams.engine.state import ConsumerState

GOOD_REASONS = frozenset({Cause.IDLE, Cause.QUOTA, Cause.RETRY, Cause.PAUSED, Cause.BREAKER_OPEN})
"""Waiting for these is no stall, however long it takes."""
REJOIN_S_MAX = 30.0

log = logging.getLogger(__name__)


class StalledError(Exception):
    """A stage makes no progress, and joining its group anew did not help."""


class StallGuard:
    """Watches one stage.

    Args:
        stage: which.
        consumer: its consumer.
        limit_s: seconds without progress that make a stall.
    """

    def __init__(self, stage: Stage, consumer: StageConsumer, limit_s: float) -> None:
        self._stage = stage
        self._consumer = consumer
        self._detector = StallDetector(limit_s, time.monotonic())

    async def watch(self, state: ConsumerState, why: StageWhy) -> bool:
        """Take one look in, act on it, and return whether the stage is stalled."""
        if self._consumer.should_stop:
            return False  # a drain takes what it takes
        step = self._detector.observe(_pulse(state, why))
        if step is not Step.NONE:
            seen = f"{self._stage}: no progress for {self._detector.silent_s:.0f} s; {_words(why)}"
            log.error("%s; next step: %s", seen, step)
            if step is Step.REJOIN:
                await self._rejoin()
            else:
                self._consumer.crash_soon(
                    StalledError(f"{seen}; joining anew did not help, so the worker exits")
                )
        return self._detector.stalled

    async def _rejoin(self) -> None:
        try:
            await asyncio.wait_for(self._consumer.rejoin(), REJOIN_S_MAX)
        except (KafkaError, TimeoutError) as error:
            log.warning("%s: joining anew failed: %r", self._stage, error)


def _pulse(state: ConsumerState, why: StageWhy) -> Pulse:
    return Pulse(
        at_s=state.at_s,
        works=any(p.pending and p.cause not in GOOD_REASONS for p in why.partitions),
        finished=state.finished,
        moved_s=state.moved_s,
        polls=state.polls,
        polled_s=state.polled_s,
    )


def _words(why: StageWhy) -> str:
    stuck = [p for p in why.partitions if p.pending and p.cause not in GOOD_REASONS]
    if not stuck:
        return "polls do not return"
    oldest = min(stuck, key=lambda p: p.since)
    place = f"{oldest.topic}-{oldest.partition}@{oldest.head_offset}"
    return f"{place} is the oldest: {oldest.cause} {oldest.detail}"
