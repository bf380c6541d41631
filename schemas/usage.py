"""Token usage in one normal form, whatever way a provider counts."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Identifier, Message
from schemas.failures import FailureReason
from schemas.recipe import PARTS_MAX

Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""A count of tokens."""


class Usage(Message):
    """Tokens of one call: four disjoint input classes, and output with reasoning inside it."""

    input_fresh: Tokens = Field(0, description="Input tokens read at full price.")
    input_cache_read: Tokens = Field(0, description="Input tokens the provider read from its prompt cache.")
    input_cache_write: Tokens = Field(0, description="Input tokens the provider wrote into its prompt cache.")
    input_other: Tokens = Field(0, description="Input tokens of another class (audio, image).")
    output: Tokens = Field(0, description="Output tokens, reasoning included.")
    reasoning: Tokens = Field(0, description="The part of `output` that was reasoning.")

    @property
    def input(self) -> int:
        """All input tokens, of every class."""
        return self.input_fresh + self.input_cache_read + self.input_cache_write + self.input_other

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum, class by class."""
        return Usage(
            input_fresh=self.input_fresh + other.input_fresh,
            input_cache_read=self.input_cache_read + other.input_cache_read,
            input_cache_write=self.input_cache_write + other.input_cache_write,
            input_other=self.input_other + other.input_other,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
        )


class CacheResult(StrEnum):
    """What the answer cache had for a call of a step that uses it."""

    HIT = "hit"
    STALE = "stale"
    """Its time was over, but the provider failed or a soft budget was passed."""

    MISS = "miss"


class UsageRecorded(Message):
    """One model call, on `pressline.usage.recorded.v1`. The same call always has the same `call_id`.

    It was paid for, unless `cache` says that the cache answered.
    """

    call_id: Identifier = Field(description="Identity of the call: revision, step path and attempt.")
    task_id: Identifier = Field(description="The task that paid for the call.")
    submission_id: Identifier = Field(description="The submission of the task that paid for it.")
    batch_id: Identifier | None = Field(None, description="The batch of that submission, if any.")
    tenant: Identifier = Field(description="Whose call it was.")
    team: Identifier = Field(description="The team that the cost is booked on.")
    feature: Identifier = Field(description="The feature that the cost is booked on.")
    recipe: Identifier = Field(description="`name@version` of the recipe.")
    step: Identifier = Field(description="Path of the step inside the recipe's run.")
    provider: Identifier = Field(description="Name of the provider in the catalogue.")
    model: Identifier = Field(description="The model that was asked for.")
    usage: Usage = Field(description="Tokens in normal form.")
    usage_estimated: bool = Field(
        False, description="True when the provider gave no usable usage: the price is the worst case."
    )
    cost_usd: Decimal = Field(ge=0, description="Price of the call in US dollars.")
    simulated: bool = Field(description="True when the simulated provider answered: nothing was paid.")
    degraded_by: str | None = Field(
        None, max_length=500, description="The soft budget that made the call cheaper, or the stale answer."
    )
    fallback_from: Identifier | None = Field(
        None, description="The model that was to answer and did not; None: it did, or a hedge."
    )
    fallback_reason: FailureReason | None = Field(None, description="Why that model did not answer.")
    hedge: Literal["won", "lost"] | None = Field(
        None, description="Whether a second call of the same question answered first; None: there was none."
    )
    trimmed: tuple[Identifier, ...] = Field(
        (), max_length=PARTS_MAX, description="Parts of the prompt that were trimmed so that it fits."
    )
    latency_s: float = Field(ge=0, description="From sending the request to the whole answer, in seconds.")
    first_token_s: float | None = Field(
        None, ge=0, description="From sending the request to a stream's first word, in seconds."
    )
    cache: CacheResult | None = Field(
        None, description="What the answer cache had; None: the step does not use it."
    )
    saved_usd: Decimal = Field(
        Decimal(0), ge=0, description="What the cached answer cost when it was bought, in US dollars."
    )
    replayed: bool = Field(False, description="True when the journal answered and nothing new was paid.")
    recorded_at: datetime = Field(description="When the answer became durable (UTC).")

    @property
    def cached(self) -> bool:
        """Whether the answer came from the cache: nothing was asked and nothing paid."""
        return self.cache in {CacheResult.HIT, CacheResult.STALE}
