"""One attempt of a model call: it is made, parsed and priced, and its intent closed when it fails."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from processors.clock import Clock
from processors.errors import ProviderRateLimitedError
from processors.gateway import recording, tokens
from processors.gateway.calling import Heard, call
from processors.gateway.counts import TokenCount, believable, of_text
from processors.gateway.fallback import maybe_billed
from processors.gateway.journal import JournaledAnswer
from processors.gateway.journal_writer import JournalWriter
from processors.gateway.kept import kept_text
from processors.gateway.limits import ProviderLimits
from processors.gateway.plan import CallPlan
from processors.gateway.prices import Prices
from processors.gateway.rate_headers import stated_limits
from processors.gateway.wire import StopReason, Transport, WireRequest
from schemas.usage import CacheResult

CALL_HEADER = "x-pressline-call"
TASK_HEADER = "x-pressline-task"
ERROR_CHARS_MAX = 500


class Buyer:
    """Makes calls whose intents are open.

    Args:
        prices: what they cost.
        writer: closes the intents of those that fail.
        limits: of each provider; they learn from what it answers.
        transports: to each provider.
        clock: the time of day.
    """

    def __init__(
        self,
        prices: Prices,
        writer: JournalWriter,
        limits: Mapping[str, ProviderLimits],
        transports: Mapping[str, Transport],
        clock: Clock,
    ) -> None:
        self._prices = prices
        self._writer = writer
        self._limits = limits
        self._transports = transports
        self._clock = clock

    async def buy(self, plan: CallPlan, attempt: int) -> JournaledAnswer:
        """Return the answer with its price; its intent stays open until the caller has made it durable.

        However else the call ends, its intent is closed.

        Raises:
            TransientError, PermanentError: any `Provider*Error` of `processors/errors.py`.
        """
        key = plan.intent.key
        try:
            heard = await self._call(plan, attempt)
            return self._priced(plan, attempt, heard)
        except asyncio.CancelledError:
            await self._writer.cancelled(key, attempt, "cancelled during the call", billed=True)
            raise
        except Exception as error:
            self._pause(plan, error)
            told = "; ".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
            text = told[:ERROR_CHARS_MAX]
            await self._writer.failed(key, attempt, text, billed=maybe_billed(error))
            raise

    async def _call(self, plan: CallPlan, attempt: int) -> Heard:
        naming = {
            CALL_HEADER: recording.call_id(plan.request, attempt),
            TASK_HEADER: plan.request.task.task_id,
        }
        wire = WireRequest(path=plan.wire.path, headers={**plan.wire.headers, **naming}, body=plan.wire.body)
        provider = plan.provider
        return await call(
            plan.speech,
            self._transports[provider.name],
            wire,
            self._clock.now(),
            plan.demand.input_tokens,
            lambda headers: self._limits[provider.name].learn(stated_limits(headers, self._clock.now())),
        )

    def _priced(self, plan: CallPlan, attempt: int, heard: Heard) -> JournaledAnswer:
        parsed = heard.parsed
        given = believable(parsed.count, plan.context_tokens, plan.request.output_tokens_max)
        kept = kept_text(plan.request, parsed)
        output_tokens = min(tokens.estimate(kept), plan.request.output_tokens_max)
        count = given or of_text(plan.demand.input_tokens, output_tokens)
        return JournaledAnswer(
            attempt=attempt,
            text=kept,
            finish_reason="length" if parsed.stop_reason is StopReason.LENGTH else "stop",
            provider=plan.provider.name,
            model=plan.request.model,
            simulated=plan.provider.simulated,
            usage=count.usage,
            usage_estimated=given is None,
            cost_usd=self._cost_usd(plan, given),
            submission_id=plan.request.task.submission_id,
            latency_s=heard.latency_s,
            answered_at=self._clock.now(),
            degraded_by=plan.intent.degraded_by,
            instead_of=plan.instead_of,
            first_token_s=heard.first_token_s,
            response_model=parsed.response_model,
            cache=CacheResult.MISS if plan.request.cache else None,
            trimmed=plan.trimmed,
        )

    def _cost_usd(self, plan: CallPlan, given: TokenCount | None) -> Decimal:
        """Our own count may be below the bill, as thoughts are billed and no text shows them."""
        if given is None:
            return plan.intent.cost_max_usd
        return self._prices.price(plan.request.model, given, plan.planned_at)

    def _pause(self, plan: CallPlan, error: Exception) -> None:
        if isinstance(error, ProviderRateLimitedError) and error.retry_after_s:
            self._limits[plan.provider.name].pause(error.retry_after_s)
