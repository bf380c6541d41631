"""A provider's raw usage object: which format it is of, its normal form, and what it costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from processors.gateway.catalogue import Catalogue
from processors.gateway.counts import TokenCount
from processors.gateway.formats import FORMATS, embeddings
from processors.gateway.price_lists import OwnPriceList, PriceList, look_up
from processors.gateway.prices import cost_of
from processors.gateway.rates import Cost
from schemas.catalogue import Format, OwnPrice
from schemas.usage import Usage

ParseUsage = Callable[[object], TokenCount | None]

APIS: Mapping[str, ParseUsage] = {
    **{name.value: spoken.parse_usage for name, spoken in FORMATS.items()},
    "chat": FORMATS[Format.OPENAI_CHAT].parse_usage,
    "responses": FORMATS[Format.OPENAI_RESPONSES].parse_usage,
    "anthropic": FORMATS[Format.ANTHROPIC_MESSAGES].parse_usage,
    "embeddings": embeddings.parse_usage,
}
"""By our names of formats, and by the names that `genai-prices` has for them."""

OWN_FORMATS: Mapping[str, Format] = {
    "anthropic": Format.ANTHROPIC_MESSAGES,
    "google": Format.GEMINI,
}
"""Providers whose own API is not OpenAI's; `default` means their own."""

NOT_SPOKEN = frozenset({"aws", "cohere", "perplexity"})
"""Providers whose own API is none that is spoken here; some sell access by another one too."""

WRAPPERS = ("usage", "usageMetadata")


class UnreadableUsageError(ValueError):
    """A raw usage object cannot be brought to the normal form; the text says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawUsage:
    """A usage object as a provider gave it.

    Attributes:
        provider: its id in `genai-prices`, or its name in the catalogue.
        model: as the provider names it.
        usage: the object itself, or the answer's part that holds it.
        api: one of APIS, `default` for the provider's own, or None to tell by the object's fields.
        moment: when the call was made (aware).
    """

    provider: str
    model: str
    usage: Mapping[str, Any]
    api: str | None
    moment: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedUsage:
    """The normal form of a raw usage object, and its price."""

    usage: Usage
    cost: Cost


def price_raw(raw: RawUsage, catalogue: Catalogue) -> PricedUsage:
    """Return normal form and price.

    Args:
        raw: the usage object.
        catalogue: an own price in it goes before the price book's.

    Raises:
        UnreadableUsageError: of no format that is spoken, or it contradicts itself.
        UnpricedModelError: no price is known.
    """
    found = _unwrapped(raw.usage)
    count = _parser(raw, found)(found)
    if count is None:
        raise UnreadableUsageError(
            "the usage lacks a count of input or output, or its parts exceed their whole; expected"
            f" {raw.api or 'a known'} format's own fields"
        )
    batch = "batch" in (found.get("service_tier"), raw.usage.get("service_tier"))  # OpenAI's stands beside it
    cost = cost_of(raw.model, _price_list(raw, catalogue), count, raw.moment, batch=batch)
    return PricedUsage(usage=count.usage, cost=cost)


def moment_of(text: str | None, now: datetime) -> datetime:
    """Return the moment that a date (midnight UTC) or date-time (UTC without an offset) names; None: now.

    Raises:
        UnreadableUsageError: neither.
    """
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableUsageError(f"date is {text[:50]!r}, expected an ISO date or date-time") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _unwrapped(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = next((usage[key] for key in WRAPPERS if isinstance(usage.get(key), dict)), usage)
    return inner if isinstance(inner, dict) else usage


def _parser(raw: RawUsage, found: Mapping[str, Any]) -> ParseUsage:
    if raw.api is not None and raw.api != "default":
        parser = APIS.get(raw.api)
        if parser is None:
            raise UnreadableUsageError(
                f"api is {raw.api[:50]!r}, expected default or one of {', '.join(APIS)}"
            )
        return parser
    if raw.provider in NOT_SPOKEN:
        raise UnreadableUsageError(
            f"the own API of {raw.provider!r} is not spoken; expected another provider"
        )
    return FORMATS[OWN_FORMATS.get(raw.provider) or _told_by_fields(found)].parse_usage


def _told_by_fields(found: Mapping[str, Any]) -> Format:
    if "promptTokenCount" in found:
        return Format.GEMINI
    if "prompt_tokens" in found:
        return Format.OPENAI_CHAT
    cached_beside = {"cache_creation_input_tokens", "cache_read_input_tokens"} & found.keys()
    return Format.ANTHROPIC_MESSAGES if cached_beside else Format.OPENAI_RESPONSES


def _price_list(raw: RawUsage, catalogue: Catalogue) -> PriceList:
    for model in catalogue.rules.models:
        if (model.provider, model.name) == (raw.provider, raw.model) and isinstance(model.price, OwnPrice):
            return OwnPriceList(model.name, model.price)
    return look_up(raw.model, raw.provider, raw.model)
