"""Prices: what a call of a catalogue's model costs, and what it can cost at most."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from processors.errors import UnpricedModelError
from processors.gateway.catalogue import Catalogue
from processors.gateway.counts import Kind, Modality, TokenCount, of_text
from processors.gateway.price_lists import OwnPriceList, PriceList, look_up
from processors.gateway.rates import Cost, Rates
from schemas.catalogue import ModelKind, ModelRules, OwnPrice

INPUTS = (Kind.FRESH, Kind.CACHE_READ, Kind.CACHE_WRITE, Kind.CACHE_WRITE_1H)
OUTPUTS = (Kind.OUTPUT, Kind.REASONING)
NEEDED = {
    ModelKind.CHAT: {(Kind.FRESH, Modality.TEXT), (Kind.OUTPUT, Modality.TEXT)},
    ModelKind.EMBEDDING: {(Kind.FRESH, Modality.TEXT)},
}


class Prices:
    """What calls cost.

    Args:
        lists: for each model its prices.
    """

    def __init__(self, lists: Mapping[str, PriceList]) -> None:
        self._lists = dict(lists)

    def price(self, model: str, count: TokenCount, moment: datetime) -> Decimal:
        """Return the price of a call in US dollars, unrounded.

        Args:
            model: name in the catalogue.
            count: its tokens.
            moment: when it was made (aware).

        Raises:
            UnpricedModelError: no price of that model, or of a class of tokens in the call, is known.
        """
        return cost_of(model, self._list_of(model), count, moment).total

    def worst_case(
        self, model: str, input_tokens_max: int, output_tokens_max: int, moment: datetime
    ) -> Decimal:
        """Return the most that a call of text can cost in US dollars, whatever the provider's cache does.

        Raises:
            UnpricedModelError: no price of that model is known.
        """
        tiers = [
            tier for tier in self._list_of(model).at(moment) if tier.above_input_tokens < input_tokens_max
        ]
        dearest_input = max(tier.dearest(*INPUTS) for tier in tiers)
        return input_tokens_max * dearest_input + output_tokens_max * max(
            tier.dearest(*OUTPUTS) for tier in tiers
        )

    def _list_of(self, model: str) -> PriceList:
        found = self._lists.get(model)
        if found is None:
            raise UnpricedModelError(
                f"model {model[:100]!r} has no known price; give it one in the catalogue"
            )
        return found


def cost_of(
    model: str, prices: PriceList, count: TokenCount, moment: datetime, *, batch: bool = False
) -> Cost:
    """Return what a call costs by that list; see `Prices.price`."""
    tier = _tier(prices.at(moment, batch=batch), count)
    unpriced = tier.unpriced(count)
    if unpriced is not None:
        kind, modality = unpriced
        raise UnpricedModelError(
            f"model {model[:100]!r}: no price of its {kind} tokens of {modality} is known;"
            " give an own price in the catalogue"
        )
    return tier.cost(count)


def compile_prices(catalogue: Catalogue, now: datetime) -> Prices:
    """Return the prices of all models of the catalogue.

    Args:
        catalogue: the models.
        now: present time (aware); each model must have a price at it.

    Raises:
        UnpricedModelError: a model has none.
    """
    return Prices({model.name: _price_list(model, now) for model in catalogue.rules.models})


def _price_list(model: ModelRules, now: datetime) -> PriceList:
    if isinstance(model.price, OwnPrice):
        return OwnPriceList(model.name, model.price)
    found = look_up(model.name, model.price.provider, model.price.model)
    tier = _tier(found.at(now), of_text(1, 1))
    if NEEDED[model.kind] - tier.by_class.keys():
        raise UnpricedModelError(
            f"model {model.name!r}: genai-prices has no price of its input or output tokens;"
            " give an own price in the catalogue"
        )
    return found


def _tier(tiers: tuple[Rates, ...], count: TokenCount) -> Rates:
    return next(tier for tier in tiers if count.input > tier.above_input_tokens)
