"""Where prices come from: the price book that is shipped with `genai-prices`, or a catalogue's own."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from processors.errors import UnpricedModelError
from processors.gateway.rates import Rates, rates
from schemas.catalogue import OwnPrice, TieredPrice, TokenPrice

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

BATCH: Mapping[str, str] = {"processing": "batch"}


class PriceList(Protocol):
    """Prices of one model."""

    def at(self, moment: datetime, *, batch: bool = False) -> tuple[Rates, ...]:
        """Return the rates that hold at that moment, the highest `above_input_tokens` first, the last one -1.

        Args:
            moment: when the call was made (aware); prices change by date, and some by the time of day.
            batch: whether it was made through the provider's batch endpoint.

        Raises:
            UnpricedModelError: no price of batches is known, or requests have a price beside their tokens.
        """


class OwnPriceList:
    """Prices that the catalogue gives.

    Args:
        name: of the model, for error texts.
        price: the first one with its later changes.
    """

    def __init__(self, name: str, price: OwnPrice) -> None:
        dated = ((date.min, price), *((change.from_day, change) for change in price.changes))
        self._name = name
        self._newest_first = tuple((day, _rates(each), _rates(each.batch)) for day, each in reversed(dated))

    def at(self, moment: datetime, *, batch: bool = False) -> tuple[Rates, ...]:
        """Return the rates; see the protocol."""
        today = moment.astimezone(UTC).date()
        single, batched = next(found for day, *found in self._newest_first if day <= today)
        if batch and not batched:
            raise UnpricedModelError(
                f"model {self._name!r}: its own price has no `batch` that holds on {today}, expected one;"
                " add it"
            )
        return batched if batch else single


class BookPriceList:
    """Prices of a model in `genai-prices`.

    Args:
        name: of the model, for error texts.
        model: as `look_up` found it.
    """

    def __init__(self, name: str, model: "ModelInfo") -> None:
        self._name = name
        self._model = model
        # The newest only: the finest condition of a price is a minute of the day.
        self._resolved: dict[bool, tuple[datetime, tuple[Rates, ...]]] = {}

    def at(self, moment: datetime, *, batch: bool = False) -> tuple[Rates, ...]:
        """Return the rates; see the protocol."""
        minute = moment.replace(second=0, microsecond=0)
        known = self._resolved.get(batch)
        if known is None or known[0] != minute:
            known = self._resolved[batch] = (minute, self._resolve(minute, batch=batch))
        return known[1]

    def _resolve(self, moment: datetime, *, batch: bool) -> tuple[Rates, ...]:
        if batch and not any(variant.when == BATCH for variant in self._model.price_variants or ()):
            raise UnpricedModelError(f"model {self._name!r}: genai-prices has no price of batches of it")
        found = vars(self._model.get_prices(moment, BATCH if batch else None))
        self._require_tokens_alone(found)
        starts = {tier.start for value in found.values() for tier in getattr(value, "tiers", ())}
        return tuple(rates(_prices(found, start), start) for start in (*sorted(starts, reverse=True), -1))

    def _require_tokens_alone(self, found: Mapping[str, Any]) -> None:
        # Left out, it would book a short call at a fraction of its cost. Own prices cannot say it either.
        price = found.get("requests_kcount")
        if price is not None:
            raise UnpricedModelError(
                f"model {self._name[:100]!r}: genai-prices has a price of {price} USD per 1,000 requests,"
                " expected prices of tokens alone; such a model cannot be priced: name another model"
            )


def look_up(name: str, provider: str, model: str) -> BookPriceList:
    """Return the prices of a model in `genai-prices`.

    Args:
        name: of the model in the catalogue, for error texts.
        provider: its id in `genai-prices`.
        model: a reference that `genai-prices` knows it by.

    Raises:
        UnpricedModelError: the book has no such provider or model.
    """
    # Imported here: it takes 0.3 s, and a catalogue of own prices does without.
    from genai_prices import data_snapshot  # noqa: PLC0415

    try:
        _, found = data_snapshot.get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        raise UnpricedModelError(
            f"model {name[:100]!r}: genai-prices has no {model[:100]!r} of {provider[:100]!r};"
            " correct the reference or give an own price in the catalogue"
        ) from None
    return BookPriceList(name, found)


def _rates(price: TieredPrice | None) -> tuple[Rates, ...]:
    """Return the rates of an own price, those of the longest prompts first; none for none."""
    if price is None:
        return ()
    return (*(_own(tier, tier.above_input_tokens) for tier in reversed(price.tiers)), _own(price))


def _own(price: TokenPrice, above_input_tokens: int = -1) -> Rates:
    named = {"input_mtok": price.input, "output_mtok": price.output}
    cached = {
        "cache_read_mtok": price.cache_read,
        "cache_write_mtok": price.cache_write,
        "cache_write_1h_mtok": price.cache_write_1h,
    }
    known = {key: value for key, value in cached.items() if value is not None}
    return rates(named | known, above_input_tokens)


def _prices(found: Mapping[str, Any], start: int) -> dict[str, Decimal]:
    """Prices in US dollars per million tokens of a call just above `start` input tokens, by their names."""
    priced = {key: value for key, value in found.items() if value is not None and key.endswith("_mtok")}
    return {key: _at(value, start) for key, value in priced.items()}


def _at(value: Any, start: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    reached = [Decimal(tier.price) for tier in value.tiers if tier.start <= start]
    return reached[-1] if reached else Decimal(value.base)
