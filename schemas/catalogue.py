"""The provider catalogue: who answers, for which models, at which price and limits."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Identifier, Message, Tier

PROVIDERS_MAX = 50
MODELS_MAX = 500

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
        description="Take answers as streams: the time to the first token is told, and a call that breaks"
        " off is booked by what had come.",
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


class OwnPrice(Message):
    """A price of one's own, in US dollars per million tokens."""

    input: UsdPerMillion
    output: UsdPerMillion
    cache_read: UsdPerMillion | None = Field(None, description="None: as `input`.")
    cache_write: UsdPerMillion | None = Field(None, description="None: as `input`.")


class ModelRules(Message):
    """One model."""

    name: Identifier = Field(description="Name as the provider knows it.")
    provider: Identifier = Field(description="Name of a provider in this catalogue.")
    tier: Tier
    price: PriceSource | OwnPrice
    context_tokens: int = Field(
        ge=1, le=100_000_000, description="Its context window: prompt and answer together."
    )
    reasoning: bool = Field(
        False, description="Whether it can be told how much to think; a model that cannot refuses to be."
    )


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
        return self
