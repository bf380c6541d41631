"""The provider catalogue: who answers, for which models, at which price and limits."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Identifier, Message, Tier

PROVIDERS_MAX = 50
MODELS_MAX = 500
FALLBACKS_MAX = 4
"""Each is one more call that a question may cost and wait for."""
PRICE_TIERS_MAX = 10
PRICE_CHANGES_MAX = 100

UsdPerMillion = Annotated[Decimal, Field(ge=0, le=1_000_000)]
"""US dollars per million tokens."""

BaseUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(?:/[^\s?#]*[^\s?#/])?$", max_length=500)
]
"""An http or https address without credentials, query, fragment or final slash."""


class Format(StrEnum):
    """Wire formats that are spoken."""

    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    ANTHROPIC_MESSAGES = "anthropic-messages"
    GEMINI = "gemini"
    DEEPSEEK_CHAT = "deepseek-chat"
    MINIMAX_CHAT = "minimax-chat"


EMBEDDING_FORMATS = frozenset({Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI})
"""Formats of providers that sell embeddings too."""


class ModelKind(StrEnum):
    """What a model makes."""

    CHAT = "chat"
    EMBEDDING = "embedding"


class LimitRules(Message):
    """Limits of one account at one provider, over all workers. None: no such limit."""

    requests_per_minute: int | None = Field(None, ge=1, le=10_000_000)
    tokens_per_minute: int | None = Field(
        None, ge=1, le=10_000_000_000, description="Input and output together, as OpenAI counts."
    )
    input_tokens_per_minute: int | None = Field(
        None, ge=1, le=10_000_000_000, description="Where input has a limit of its own, as at Anthropic."
    )
    output_tokens_per_minute: int | None = Field(None, ge=1, le=10_000_000_000, description="The same.")
    tokens_counted: Literal["requested", "used"] = Field(
        "requested",
        description="What the provider counts: the most output that a request allows, or what was used.",
    )
    concurrency: int = Field(1_000, ge=1, le=10_000, description="Calls in flight at once, over all workers.")


class ProviderRules(Message):
    """One provider: an account at a server that speaks a known format."""

    name: Identifier
    format: Format = Field(Format.OPENAI_CHAT, description="Wire format that the server speaks.")
    stream: bool = Field(
        False,
        description="Take answers as streams: the time to the first token is told. One that breaks off is"
        " booked at its worst case, and its ledger row says what had come.",
    )
    base_url: BaseUrl | None = Field(
        None, description="Address up to the version, such as `https://api.openai.com/v1`."
    )
    api_key_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")] | None = Field(
        None, description="Name of the environment variable that holds the key; never the key itself."
    )
    simulated: bool = Field(False, description="True for the simulated provider: nothing is paid.")
    prompt_cache_key: bool = Field(
        False, description="True where the server takes `prompt_cache_key`, as OpenAI does; many refuse it."
    )
    limits: LimitRules = LimitRules()
    call_deadline_s: float = Field(120.0, gt=0, le=3_600, description="Longest that one call may take.")

    @model_validator(mode="after")
    def _addressed(self) -> "ProviderRules":
        if self.base_url is None and not self.simulated:
            raise ValueError(f"provider {self.name!r} has no base_url; only a simulated one may leave it out")
        return self


class PriceSource(Message):
    """Where in `genai-prices` the price of a model is found."""

    provider: Identifier = Field(description="Provider id in genai-prices.")
    model: Identifier = Field(description="Model reference in genai-prices.")


class TokenPrice(Message):
    """Prices of each class of tokens, in US dollars per million."""

    input: UsdPerMillion
    output: UsdPerMillion
    cache_read: UsdPerMillion | None = Field(None, description="None: as `input`.")
    cache_write: UsdPerMillion | None = Field(None, description="None: as `input`.")
    cache_write_1h: UsdPerMillion | None = Field(
        None, description="Of writes that are kept for an hour; None: as `cache_write`."
    )


class PriceTier(TokenPrice):
    """A price of long prompts, whole: it inherits nothing from that of shorter ones."""

    above_input_tokens: int = Field(
        ge=1,
        le=100_000_000,
        description="It holds for all tokens of a call with more input tokens than that.",
    )


class TieredPrice(TokenPrice):
    """Prices of calls, dearer ones of long prompts among them."""

    tiers: tuple[PriceTier, ...] = Field(
        (), max_length=PRICE_TIERS_MAX, description="Prices of longer prompts, the shortest first."
    )

    @model_validator(mode="after")
    def _rising(self) -> "TieredPrice":
        starts = [tier.above_input_tokens for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError(
                f"tiers are above {', '.join(map(str, starts))} input tokens, expected each once, in order"
            )
        return self


class CallPrice(TieredPrice):
    """Prices of single calls, and of those through the provider's batch endpoint."""

    batch: TieredPrice | None = Field(
        None, description="Through the provider's batch endpoint; None: no batch can be priced."
    )


class PriceChange(CallPrice):
    """A price that holds from a day on, whole: it inherits nothing from the one before."""

    from_day: date = Field(alias="from", description="First day of it, which begins at midnight UTC.")


class OwnPrice(CallPrice):
    """A price of one's own, which holds until its first change."""

    changes: tuple[PriceChange, ...] = Field(
        (), max_length=PRICE_CHANGES_MAX, description="Later prices, each day once, the earliest first."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "OwnPrice":
        days = [change.from_day for change in self.changes]
        if days != sorted(set(days)):
            raise ValueError(
                f"changes are from {', '.join(map(str, days))}, expected each day once, in order"
            )
        return self


class ModelRules(Message):
    """One model."""

    name: Identifier = Field(description="Name as the provider knows it.")
    provider: Identifier = Field(description="Name of a provider in this catalogue.")
    kind: ModelKind = Field(ModelKind.CHAT, description="What it makes: text, or vectors of texts.")
    tier: Tier | None = Field(None, description="Size class of a chat model; others have none.")
    price: PriceSource | OwnPrice
    context_tokens: int = Field(
        ge=1,
        le=100_000_000,
        description="Its context window: prompt and answer together, or one text to embed.",
    )
    fallbacks: tuple[Identifier, ...] = Field(
        (),
        max_length=FALLBACKS_MAX,
        description="Models that are asked when it fails, in order.",
    )
    reasoning: bool = Field(
        False, description="Whether it can be told how much to think; a model that cannot refuses to be."
    )
    reasoning_in_tokens: bool = Field(
        False,
        description="Whether it is told so in tokens, as Claude before 4.6 and Gemini before 3 are;"
        " later ones are told in a word.",
    )
    temperature: bool = Field(
        True,
        description="Whether it takes a temperature; OpenAI's models that reason and Claude from 4.7 refuse a"
        " call with one.",
    )

    @model_validator(mode="after")
    def _tiered(self) -> "ModelRules":
        if (self.tier is not None) != (self.kind is ModelKind.CHAT):
            raise ValueError(
                f"{self.kind} model {self.name!r} has tier {self.tier}; chat models alone have one"
            )
        return self


class CatalogueRules(Message):
    """A catalogue's whole configuration."""

    providers: tuple[ProviderRules, ...] = Field(min_length=1, max_length=PROVIDERS_MAX)
    models: tuple[ModelRules, ...] = Field(min_length=1, max_length=MODELS_MAX)

    @model_validator(mode="after")
    def _consistent(self) -> "CatalogueRules":
        providers = [provider.name for provider in self.providers]
        models = [model.name for model in self.models]
        for names in (providers, models):
            if len(set(names)) < len(names):
                raise ValueError(f"names are {names!r}, expected each once")
        missing = sorted({model.provider for model in self.models} - set(providers))
        if missing:
            raise ValueError(f"models name the providers {missing!r}, expected one of {providers!r}")
        self._check_kinds()
        for model in self.models:
            self._check_fallbacks(model)
        return self

    def _check_kinds(self) -> None:
        if not any(model.kind is ModelKind.CHAT for model in self.models):
            raise ValueError("no model is of kind chat, expected one at least")
        formats = {provider.name: provider.format for provider in self.providers}
        for model in self.models:
            if model.kind is ModelKind.EMBEDDING and formats[model.provider] not in EMBEDDING_FORMATS:
                raise ValueError(
                    f"model {model.name!r} is of kind embedding, which {formats[model.provider]} has not;"
                    f" expected a provider of format {', '.join(sorted(EMBEDDING_FORMATS))}"
                )

    def _check_fallbacks(self, model: ModelRules) -> None:
        # Vectors of two models cannot be compared: a model of embeddings has none.
        chat = model.kind is ModelKind.CHAT
        others = {m.name for m in self.models if chat and m.kind is ModelKind.CHAT} - {model.name}
        if not others.issuperset(model.fallbacks) or len(set(model.fallbacks)) < len(model.fallbacks):
            raise ValueError(
                f"model {model.name!r} falls back on {list(model.fallbacks)!r},"
                f" expected other chat models of {sorted(others)!r}, each once"
            )
