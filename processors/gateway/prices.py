"""Prices: a flat table in US dollars per token, compiled once when the gateway starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from processors.errors import UnpricedModelError
from processors.gateway.catalogue import Catalogue
from schemas.catalogue import ModelRules, OwnPrice, PriceSource
from schemas.usage import Usage

PER_MILLION = Decimal(1_000_000)
INPUT_OTHER_PRICES = ("input_mtok", "input_audio_mtok", "input_image_mtok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Price of one token of each class, in US dollars.

    Attributes:
        above_input_tokens: these rates hold for a call with more input tokens than that, for all its tokens.
        fresh: input read at full price.
        cache_read: input read from the provider's prompt cache.
        cache_write: input written into it.
        other: input of another class; the dearest that the model has.
        output: output, reasoning included.
    """

    above_input_tokens: int = -1
    fresh: Decimal
    cache_read: Decimal
    cache_write: Decimal
    other: Decimal
    output: Decimal


class Prices:
    """What calls cost.

    Args:
        rates: for each model its rates, the highest `above_input_tokens` first, the last one -1.
    """

    def __init__(self, rates: Mapping[str, tuple[Rates, ...]]) -> None:
        self._rates = dict(rates)

    def price(self, model: str, usage: Usage) -> Decimal:
        """Return the price of a call in US dollars, unrounded.

        Raises:
            UnpricedModelError: no price of that model is known.
        """
        rates = self._rates_of(model, usage.input)
        return (
            usage.input_fresh * rates.fresh
            + usage.input_cache_read * rates.cache_read
            + usage.input_cache_write * rates.cache_write
            + usage.input_other * rates.other
            + usage.output * rates.output
        )

    def worst_case(self, model: str, input_tokens_max: int, output_tokens_max: int) -> Decimal:
        """Return the most that a call of text can cost in US dollars, whatever the provider's cache does.

        Raises:
            UnpricedModelError: no price of that model is known.
        """
        tiers = [self._rates_of(model, input_tokens_max), *self._tiers_below(model, input_tokens_max)]
        dearest_input = max(max(rates.fresh, rates.cache_read, rates.cache_write) for rates in tiers)
        return input_tokens_max * dearest_input + output_tokens_max * max(rates.output for rates in tiers)

    def _rates_of(self, model: str, input_tokens: int) -> Rates:
        tiers = self._rates.get(model)
        if tiers is None:
            raise UnpricedModelError(
                f"model {model[:100]!r} has no known price; give it one in the catalogue"
            )
        return next(rates for rates in tiers if input_tokens > rates.above_input_tokens)

    def _tiers_below(self, model: str, input_tokens: int) -> list[Rates]:
        return [rates for rates in self._rates[model] if rates.above_input_tokens < input_tokens]


def compile_prices(catalogue: Catalogue, now: datetime) -> Prices:
    """Return the prices of all models of the catalogue.

    A price of `genai-prices` that is dated is taken as of `now` and holds until the next start.

    Raises:
        UnpricedModelError: a model has no price, or one that depends on the time of day.
    """
    return Prices({model.name: _rates(model, now) for model in catalogue.rules.models})


def _rates(model: ModelRules, now: datetime) -> tuple[Rates, ...]:
    if isinstance(model.price, OwnPrice):
        return (_own(model.price),)
    found = _look_up(model.name, model.price, now)
    starts = {tier.start for value in found.values() for tier in getattr(value, "tiers", ())}
    return tuple(_tier(model.name, found, start) for start in (*sorted(starts, reverse=True), -1))


def _own(price: OwnPrice) -> Rates:
    return Rates(
        fresh=price.input / PER_MILLION,
        cache_read=(price.input if price.cache_read is None else price.cache_read) / PER_MILLION,
        cache_write=(price.input if price.cache_write is None else price.cache_write) / PER_MILLION,
        other=price.input / PER_MILLION,
        output=price.output / PER_MILLION,
    )


def _look_up(name: str, source: PriceSource, now: datetime) -> dict[str, Any]:
    # Imported here: it takes 0.3 s, and a catalogue of own prices does without.
    from genai_prices import data_snapshot, types  # noqa: PLC0415

    try:
        _, model = data_snapshot.get_snapshot().find_provider_model(source.model, None, source.provider, None)
    except LookupError:
        raise UnpricedModelError(
            f"model {name!r}: genai-prices has no {source.model!r} of {source.provider!r};"
            " correct the reference or give an own price in the catalogue"
        ) from None
    conditions = model.prices if isinstance(model.prices, list) else ()
    if any(isinstance(priced.constraint, types.TimeOfDateConstraint) for priced in conditions):
        raise UnpricedModelError(
            f"model {name!r}: its price depends on the time of day; give an own price in the catalogue"
        )
    return vars(model.get_prices(now))


def _tier(name: str, found: Mapping[str, Any], start: int) -> Rates:
    fresh, output = _at(found, "input_mtok", start), _at(found, "output_mtok", start)
    if fresh is None or output is None:
        raise UnpricedModelError(
            f"model {name!r}: genai-prices has no price of its input or output tokens;"
            " give an own price in the catalogue"
        )
    read, write = _at(found, "cache_read_mtok", start), _at(found, "cache_write_mtok", start)
    others = [price for key in INPUT_OTHER_PRICES if (price := _at(found, key, start)) is not None]
    return Rates(
        above_input_tokens=start,
        fresh=fresh / PER_MILLION,
        cache_read=(fresh if read is None else read) / PER_MILLION,
        cache_write=(fresh if write is None else write) / PER_MILLION,
        other=max(others) / PER_MILLION,
        output=output / PER_MILLION,
    )


def _at(found: Mapping[str, Any], key: str, start: int) -> Decimal | None:
    """The price of a class for a call just above `start` input tokens, in US dollars per million."""
    value = found.get(key)
    if value is None or isinstance(value, Decimal):
        return value
    reached = [Decimal(tier.price) for tier in value.tiers if tier.start <= start]
    return reached[-1] if reached else Decimal(value.base)
