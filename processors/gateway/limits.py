"""A provider's limits, kept by one worker for its share of them.

All workers together stay within the provider's limits in any window of 60 seconds, without talking to each
other: each has the share of the partitions that it owns. One call waits behind the other (FIFO), so that many
thousand waiters cost no more than one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from processors.errors import AbandonedError, LimitWaitError
from processors.gateway.bucket import Bucket
from processors.gateway.catalogue import Catalogue
from schemas.catalogue import LimitRules

LIMIT_WAIT_S_MAX = 300.0
PAUSE_S_MAX = 300.0
MEAN_WEIGHT = 0.05
"""Weight of the newest answer in the running mean of output tokens: about the last 40 answers count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a call is going to take.

    Attributes:
        model: model name.
        input_tokens: estimate.
        output_tokens_max: what the request allows.
        abandoned: asked when the turn has come; who has no more use for it leaves without taking anything.
    """

    model: str
    input_tokens: int
    output_tokens_max: int
    abandoned: Callable[[], bool] = bool  # bool() is False: never


class ProviderLimits:
    """Requests and tokens per minute, and calls in flight, of one provider in one worker.

    The share is 0 until it is set: nothing is called before partitions are owned.

    Args:
        provider: name in the catalogue.
        rules: the provider's limits over all workers.
        wait_s_max: longest that a call waits for its turn, in seconds.
    """

    def __init__(self, provider: str, rules: LimitRules, wait_s_max: float = LIMIT_WAIT_S_MAX) -> None:
        self._provider = provider
        self._rules = rules
        self._wait_s_max = wait_s_max
        self._requests = Bucket(rules.requests_per_minute, whole=True)
        self._tokens = Bucket(rules.tokens_per_minute, whole=False)
        self._concurrency = asyncio.Semaphore(rules.concurrency)
        self._turn = asyncio.Lock()
        self._shared = asyncio.Event()
        self._paused_until_s = 0.0
        self._output_means: dict[str, float] = {}
        self._waiting = 0

    def waiting(self) -> int:
        """Return how many calls wait for their turn."""
        return self._waiting

    def set_share(self, share: float) -> None:
        """Lease `share` (0 to 1) of the limits: owned partitions by all. A new lease starts empty."""
        if share > 0:
            self._requests.set_share(share)
            self._tokens.set_share(share)
            self._shared.set()
        else:
            self._shared.clear()

    def pause(self, seconds: float) -> None:
        """Let nobody call for that long: the provider said so. A shorter pause does not end a longer one."""
        until_s = asyncio.get_running_loop().time() + min(seconds, PAUSE_S_MAX)
        self._paused_until_s = max(self._paused_until_s, until_s)

    @asynccontextmanager
    async def admitted(self, demand: Demand) -> AsyncIterator[int]:
        """Hold a place for one call, from its turn to its end.

        Yields:
            The tokens that were reserved, for `settle`.

        Raises:
            LimitWaitError: no turn within `wait_s_max` seconds.
        """
        tokens = self._reservation(demand)
        await self._admit(tokens, demand.abandoned)
        try:
            yield tokens
        finally:
            self._concurrency.release()

    def settle(self, demand: Demand, reserved: int, input_tokens: int, output_tokens: int) -> None:
        """Book what the call took in place of what was reserved, where the provider counts what is used."""
        mean = self._output_means.get(demand.model, float(output_tokens))
        self._output_means[demand.model] = mean + MEAN_WEIGHT * (output_tokens - mean)
        if self._rules.tokens_counted == "used":
            self._tokens.adjust(input_tokens + output_tokens - reserved)

    def _reservation(self, demand: Demand) -> int:
        if self._rules.tokens_counted == "requested":
            return demand.input_tokens + demand.output_tokens_max
        expected = self._output_means.get(demand.model, float(demand.output_tokens_max))
        return demand.input_tokens + min(round(expected), demand.output_tokens_max)

    async def _admit(self, tokens: int, abandoned: Callable[[], bool]) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s_max):
                await self._take_turn(tokens, abandoned)
        except TimeoutError:
            raise LimitWaitError(
                f"no turn at {self._provider} in {self._wait_s_max:g} s on this worker's share of its limits,"
                " expected one; raise the limits in the catalogue or lower the load"
            ) from None
        finally:
            self._waiting -= 1

    async def _take_turn(self, tokens: int, abandoned: Callable[[], bool]) -> None:
        # A place first: who holds paid tokens and then waits for a place would call in a later window.
        await self._concurrency.acquire()
        try:
            async with self._turn:
                await self._take(tokens, abandoned)
        except BaseException:
            self._concurrency.release()
            raise

    async def _take(self, tokens: int, abandoned: Callable[[], bool]) -> None:
        # Else a worker spends its share on records that others have by now.
        if abandoned():
            raise AbandonedError("the record was given to another worker while its call waited")
        await self._shared.wait()
        await self._tokens.take(tokens)
        await self._requests.take(1)
        await self._unpaused()

    async def _unpaused(self) -> None:
        # Bounded by the caller's deadline; a pause can be prolonged and a share lost while it lasts.
        loop = asyncio.get_running_loop()
        while (left_s := self._paused_until_s - loop.time()) > 0 or not self._shared.is_set():
            await asyncio.sleep(max(left_s, 0.0))
            await self._shared.wait()


def limits_for(catalogue: Catalogue) -> dict[str, ProviderLimits]:
    """Return the limits of each provider that answers for a model."""
    return {rules.name: ProviderLimits(rules.name, rules.limits) for rules in catalogue.used_providers}
