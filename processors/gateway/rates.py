"""What one token of each class costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from processors.gateway.counts import OUTPUTS, Kind, Modality, TokenClass, TokenCount

PER_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call costs in US dollars, unrounded."""

    input: Decimal
    output: Decimal

    @property
    def total(self) -> Decimal:
        """Input and output together."""
        return self.input + self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Prices of one token of each class, in US dollars.

    Attributes:
        above_input_tokens: these rates hold for a call with more input tokens than that, for all its tokens.
        by_class: the price of each class; a class that is absent has none.
    """

    above_input_tokens: int = -1
    by_class: Mapping[TokenClass, Decimal]

    def unpriced(self, count: TokenCount) -> TokenClass | None:
        """Return a class of which `count` has tokens and that has no price."""
        return next((each for each, n in count.tokens.items() if n > 0 and each not in self.by_class), None)

    def cost(self, count: TokenCount) -> Cost:
        """Return what these tokens, each of a class that has a price, cost."""
        prices = {each: n * self.by_class[each] for each, n in count.tokens.items() if n > 0}
        spent = sum((price for (kind, _), price in prices.items() if kind in OUTPUTS), Decimal(0))
        return Cost(input=sum(prices.values(), Decimal(0)) - spent, output=spent)

    def dearest(self, *kinds: Kind) -> Decimal:
        """Return the highest price of a text token of those kinds; 0 when none has a price."""
        priced = (
            self.by_class[kind, Modality.TEXT] for kind in kinds if (kind, Modality.TEXT) in self.by_class
        )
        return max(priced, default=Decimal(0))


def rates(prices: Mapping[str, Decimal], above_input_tokens: int = -1) -> Rates:
    """Return the rates that prices in US dollars per million tokens come to.

    Args:
        prices: by the names of `genai-prices`, such as `input_mtok` or `cache_audio_read_mtok`.
        above_input_tokens: see `Rates`.
    """
    found: dict[TokenClass, Decimal] = {}
    for kind in Kind:
        for modality in Modality:
            price = next((prices[key] for key in _keys(kind, modality) if key in prices), None)
            if price is not None:
                found[kind, modality] = price / PER_MILLION
    return Rates(above_input_tokens=above_input_tokens, by_class=found)


def _keys(kind: Kind, modality: Modality) -> tuple[str, ...]:
    """Names of the price that holds, the most particular first: what has none costs as what it is one of."""
    side, fresh = (f"{side}_{modality}_mtok" for side in ("output", "input"))
    match kind:
        case Kind.FRESH:
            return (fresh, "input_mtok")
        case Kind.CACHE_READ:
            return (f"cache_{modality}_read_mtok", "cache_read_mtok", fresh, "input_mtok")
        case Kind.CACHE_WRITE:
            return (f"cache_{modality}_write_mtok", "cache_write_mtok", fresh, "input_mtok")
        case Kind.CACHE_WRITE_1H:
            return ("cache_write_1h_mtok", "cache_write_mtok", fresh, "input_mtok")
        case Kind.REASONING:
            return ("output_reasoning_mtok", side, "output_mtok")
        case Kind.OUTPUT:
            return (side, "output_mtok")
