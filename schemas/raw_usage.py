"""A line of a file of raw usage objects, as `pressline price` reads it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RawUsageLine(BaseModel):
    """One usage object as a provider gave it. Other fields of the line are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    provider: Name = Field(description="Id in genai-prices, or the provider's name in the catalogue.")
    model: Name = Field(description="The model as the provider names it.")
    usage: dict[str, JsonValue] = Field(description="The usage object.")
    api: Name | None = Field(
        None, description="Format: `chat`, `responses`, `anthropic`; None: by its fields."
    )
    date: Name | None = Field(None, description="ISO date or date-time of the call; None: now.")
