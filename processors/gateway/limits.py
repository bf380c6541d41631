"""A provider's limits, kept by one worker for its share of them.

All workers together stay within the provider's limits in any window of 60 seconds: each has the share of the
partitions that it owns, and what others lend it of theirs (`lending.py`). One call after the other takes of
them, live ones before bulk ones and tenants alike (`turns.py`).

A worker that leaves takes its last call with it: in the minute after it, one call for each worker that left
may be too many. Where the limit is 50 requests a minute for each worker or more, the headroom covers it.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from processors.errors import LimitWaitError, ProcessingError
from processors.gateway.bucket import Bucket
from processors.gateway.catalogue import Catalogue
from processors.gateway.places import Places
from processors.gateway.rate_headers import LimitKind, StatedLimit
from processors.gateway.turns import Turns
from processors.gateway.wanted import Unwanted, always_wanted
from schemas.base import Lane
from schemas.catalogue import LimitRules
from schemas.usage import Usage

LIMIT_WAIT_S_MAX = 300.0
PAUSE_S_MAX = 300.0
MEAN_WEIGHT = 0.05
"""Weight of the newest answer in the running mean of output tokens: about the last 40 answers count."""

LOWERED_PART_MIN = 0.01
"""However little a provider states, a hundredth of the catalogue's limit stays: a header may be wrong."""

REFILL_PART = 0.05
"""Part of the time to a full limit that is waited for when nothing remains: so much of it has come back."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a call is going to take.

    Attributes:
        model: model name.
        input_tokens: estimate.
        output_tokens_max: what the request allows.
        lane: whose turns it takes.
        tenant: likewise.
        unwanted: asked when the turn has come; who has no more use for it leaves without taking anything.
        wait_s_max: longest that it waits for its turn, in seconds, where that is less than any call may.
        pause_s_max: a longer pause of the provider, in seconds, is not waited for.
    """

    model: str
    input_tokens: int
    output_tokens_max: int
    lane: Lane = Lane.LIVE
    tenant: str = "default"
    unwanted: Unwanted = always_wanted
    wait_s_max: float = math.inf
    pause_s_max: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Tokens that a call has taken of the limits before it is known what it uses."""

    input_tokens: int
    output_tokens: int


class ProviderLimits:
    """Requests and tokens per minute, and calls in flight, of one provider in one worker.

    The share is 0 until it is set: nothing is called before partitions are owned.

    Args:
        provider: name in the catalogue.
        rules: the provider's limits over all workers.
        wait_s_max: longest that a call waits for its turn, in seconds.
    """

    def __init__(self, provider: str, rules: LimitRules, wait_s_max: float = LIMIT_WAIT_S_MAX) -> None:
        self.share = 0.0
        self._provider = provider
        self._rules = rules
        self._wait_s_max = wait_s_max
        self._catalogued = _by_kind(rules)
        self._buckets = {
            kind: Bucket(limit, whole=kind is LimitKind.REQUESTS) for kind, limit in self._catalogued.items()
        }
        self._places = Places(rules.concurrency)
        self._turns = Turns()
        self._shared = asyncio.Event()
        self._paused_until_s = 0.0
        self._used_at_s = 0.0
        self._output_means: dict[str, float] = {}
        self._waiting = 0

    def waiting(self) -> int:
        """Return how many calls wait for their turn."""
        return self._waiting

    def unused_s(self) -> float:
        """Return for how many seconds no call has waited or been in flight."""
        busy = self._waiting > 0 or self._places.taken > 0
        return 0.0 if busy else asyncio.get_running_loop().time() - self._used_at_s

    def per_minute(self) -> Mapping[LimitKind, int]:
        """Return the limits that count now over all workers: the catalogue's, or lower ones learned since."""
        return {kind: bucket.limit for kind, bucket in self._buckets.items() if bucket.limit is not None}

    def set_share(self, share: float) -> None:
        """Lease `share` (0 to 1) of the limits. A new lease starts empty: nothing is saved up."""
        self.share = share
        if share > 0:
            for bucket in self._buckets.values():
                bucket.set_share(share)
            self._places.set_share(share)
            self._shared.set()
        else:
            self._shared.clear()
        self._turns.sweep()  # a rebalance takes records away

    def pause(self, seconds: float) -> None:
        """Let nobody call for that long: the provider said so. A shorter pause does not end a longer one."""
        until_s = asyncio.get_running_loop().time() + min(seconds, PAUSE_S_MAX)
        self._paused_until_s = max(self._paused_until_s, until_s)
        self._turns.sweep()

    def learn(self, stated: Iterable[StatedLimit]) -> None:
        """Obey what the provider says: the lowest limit that it ever stated counts until this worker ends."""
        for each in stated:
            if each.limit is not None:
                self._lower(each.kind, each.limit)
            if each.remaining == 0 and each.reset_s is not None:
                # Limits fill up continuously, and the reset is when they are full.
                self.pause(REFILL_PART * each.reset_s)

    @asynccontextmanager
    async def admitted(self, demand: Demand) -> AsyncIterator[Reservation]:
        """Hold a place for one call, from its turn to its end.

        Yields:
            The tokens that were reserved, for `settle`.

        Raises:
            LimitWaitError: no turn within `wait_s_max` seconds, or the provider pauses for longer than
                `demand.pause_s_max`; it says for how long still.
            ProcessingError: what `demand.unwanted` said.
        """
        reserved = self._reservation(demand)
        await self._admit(demand, reserved)
        try:
            yield reserved
        finally:
            self._give_back()

    def settle(self, demand: Demand, reserved: Reservation, usage: Usage) -> None:
        """Book what the call took in place of what was reserved, where the provider counts what is used.

        Where input has a limit of its own, what came out of the provider's cache does not count.
        Source: https://docs.anthropic.com/en/api/rate-limits
        """
        mean = self._output_means.get(demand.model, float(usage.output))
        self._output_means[demand.model] = mean + MEAN_WEIGHT * (usage.output - mean)
        if self._rules.tokens_counted != "used":
            return
        more_input, more_output = usage.input - reserved.input_tokens, usage.output - reserved.output_tokens
        self._buckets[LimitKind.TOKENS].adjust(more_input + more_output)
        self._buckets[LimitKind.INPUT_TOKENS].adjust(more_input - usage.input_cache_read)
        self._buckets[LimitKind.OUTPUT_TOKENS].adjust(more_output)

    def _lower(self, kind: LimitKind, stated: int) -> None:
        catalogued, current = self._catalogued[kind], self._buckets[kind].limit
        if catalogued is None or current is None:
            return
        limit = max(stated, round(LOWERED_PART_MIN * catalogued), 1)
        if limit < current:
            log.warning(
                "%s states %d %s a minute, the catalogue has %d: %d count until this worker ends; correct it",
                *(self._provider, stated, kind.replace("_", " "), catalogued, limit),
            )
            self._buckets[kind].lower(limit)

    def _reservation(self, demand: Demand) -> Reservation:
        output = demand.output_tokens_max
        if self._rules.tokens_counted == "used":
            output = min(round(self._output_means.get(demand.model, float(output))), output)
        return Reservation(input_tokens=demand.input_tokens, output_tokens=output)

    async def _admit(self, demand: Demand, reserved: Reservation) -> None:
        loop = asyncio.get_running_loop()
        wait_s = min(self._wait_s_max, demand.wait_s_max)
        unwanted = partial(self._unwanted, demand)
        self._waiting += 1
        try:
            async with asyncio.timeout(wait_s), self._turns.turn(demand.lane, demand.tenant, unwanted):
                await self._take_turn(reserved, unwanted)
        except TimeoutError:
            raise LimitWaitError(
                f"no turn at {self._provider} in {wait_s:g} s on this worker's share of its limits,"
                " expected one; raise the limits in the catalogue or lower the load",
                retry_after_s=self._pause_left_s() or None,
            ) from None
        finally:
            self._waiting -= 1
            self._used_at_s = loop.time()

    def _unwanted(self, demand: Demand) -> ProcessingError | None:
        left_s = self._pause_left_s()
        if left_s > demand.pause_s_max:
            return LimitWaitError(
                f"{self._provider} asks to wait {left_s:g} s, expected {demand.pause_s_max:g} s at most",
                retry_after_s=left_s,
            )
        return demand.unwanted()

    async def _take_turn(self, reserved: Reservation, unwanted: Unwanted) -> None:
        await self._shared.wait()
        # A place first: who holds paid tokens and then waits for a place would call in a later window.
        await self._places.take()
        try:
            await self._take(reserved, unwanted)
        except BaseException:
            self._give_back()
            raise

    async def _take(self, reserved: Reservation, unwanted: Unwanted) -> None:
        # Bounded by the caller's deadline. What was taken before a pause or the loss of the share is forfeit:
        # used afterwards it would count in a window that has its own.
        while True:
            await self._open_again(unwanted)
            await self._buckets[LimitKind.TOKENS].take(reserved.input_tokens + reserved.output_tokens)
            await self._buckets[LimitKind.INPUT_TOKENS].take(reserved.input_tokens)
            await self._buckets[LimitKind.OUTPUT_TOKENS].take(reserved.output_tokens)
            await self._buckets[LimitKind.REQUESTS].take(1)
            if self._open():
                return

    def _open(self) -> bool:
        return self._shared.is_set() and self._pause_left_s() == 0

    def _pause_left_s(self) -> float:
        return max(self._paused_until_s - asyncio.get_running_loop().time(), 0.0)

    async def _open_again(self, unwanted: Unwanted) -> None:
        while True:  # bounded by the caller's deadline
            # Else a worker spends its share on records that others have by now, or that came too late.
            if (error := unwanted()) is not None:
                raise error
            if self._open():
                return
            # A pause can be prolonged and a share lost while it lasts.
            await asyncio.sleep(self._pause_left_s())
            await self._shared.wait()

    def _give_back(self) -> None:
        self._places.give_back()
        self._used_at_s = asyncio.get_running_loop().time()


def limits_for(catalogue: Catalogue) -> dict[str, ProviderLimits]:
    """Return the limits of each provider that answers for a model."""
    return {rules.name: ProviderLimits(rules.name, rules.limits) for rules in catalogue.used_providers}


def _by_kind(rules: LimitRules) -> Mapping[LimitKind, int | None]:
    return {
        LimitKind.REQUESTS: rules.requests_per_minute,
        LimitKind.TOKENS: rules.tokens_per_minute,
        LimitKind.INPUT_TOKENS: rules.input_tokens_per_minute,
        LimitKind.OUTPUT_TOKENS: rules.output_tokens_per_minute,
    }
