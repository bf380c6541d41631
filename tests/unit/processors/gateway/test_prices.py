from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.errors import UnpricedModelError
from processors.gateway.catalogue import Catalogue, default, load
from processors.gateway.counts import Kind, Modality, TokenCount, of_text
from processors.gateway.price_lists import OwnPriceList, look_up
from processors.gateway.prices import Prices, compile_prices, cost_of
from processors.gateway.rates import Rates, rates
from schemas.catalogue import OwnPrice

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def a_catalogue(price: str) -> Catalogue:
    return load(
        b'providers: [{name: p, base_url: "http://p.test/v1"}]\n'
        b"models: [{name: m, provider: p, tier: small, context_tokens: 1000000, price: %s}]" % price.encode()
    )


def count(**kinds: int) -> TokenCount:
    return TokenCount({(Kind(kind), Modality.TEXT): tokens for kind, tokens in kinds.items()})


def test_each_class_of_tokens_has_its_own_price() -> None:
    prices = compile_prices(default(), NOW)
    used = count(fresh=1_000_000, cache_read=1_000_000, output=100_000, reasoning=900_000)

    assert prices.price("gpt-5-nano", used, NOW) == Decimal("0.455")


def test_an_own_price_stands_for_the_classes_that_it_leaves_out() -> None:
    prices = compile_prices(a_catalogue("{input: 2, output: 3, cache_write: 4}"), NOW)
    used = TokenCount(
        {**count(fresh=1, cache_read=1, cache_write=1, output=1).tokens, (Kind.FRESH, Modality.AUDIO): 1}
    )

    assert prices.price("m", used, NOW) * 1_000_000 == 2 + 2 + 4 + 3 + 2


def test_a_tiered_price_holds_for_all_tokens_above_its_threshold() -> None:
    prices = compile_prices(a_catalogue("{provider: google, model: gemini-2.5-pro}"), NOW)

    assert prices.price("m", count(fresh=200_000), NOW) == Decimal("0.25")
    assert prices.price("m", count(fresh=200_001), NOW) == 200_001 * Decimal("0.0000025")


def test_what_is_not_text_has_its_own_price() -> None:
    prices = compile_prices(a_catalogue("{provider: google, model: gemini-2.5-flash}"), NOW)
    used = TokenCount({(Kind.FRESH, Modality.AUDIO): 1_000_000, (Kind.FRESH, Modality.VIDEO): 1_000_000})

    assert prices.price("m", used, NOW) == Decimal("1.3")


def test_what_is_kept_for_an_hour_costs_more() -> None:
    prices = compile_prices(a_catalogue("{provider: anthropic, model: claude-sonnet-4-5}"), NOW)

    assert prices.price("m", count(cache_write=100_000), NOW) == Decimal("0.375")
    assert prices.price("m", count(cache_write_1h=100_000), NOW) == Decimal("0.6")


def test_a_price_by_the_time_of_day_is_that_of_the_call() -> None:
    prices = compile_prices(a_catalogue("{provider: deepseek, model: deepseek-chat}"), NOW)
    by_hour = {prices.price("m", count(fresh=1_000_000), NOW.replace(hour=hour)) for hour in range(24)}

    assert len(by_hour) == 2


def test_a_batch_costs_half() -> None:
    book = look_up("m", "openai", "gpt-5-nano")
    used = count(fresh=1_000_000, output=1_000_000)

    assert cost_of("m", book, used, NOW, batch=True).total * 2 == cost_of("m", book, used, NOW).total


def test_a_batch_whose_price_is_unknown_is_refused() -> None:
    own = OwnPriceList("m", OwnPrice(input=Decimal(1), output=Decimal(2)))
    for prices in (own, look_up("m", "deepseek", "deepseek-chat")):
        with pytest.raises(UnpricedModelError, match="batch"):
            cost_of("m", prices, count(fresh=1), NOW, batch=True)


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("{provider: openai, model: gpt-0-none}", "genai-prices has no 'gpt-0-none'"),
        ("{provider: nobody, model: gpt-5}", "genai-prices has no 'gpt-5' of 'nobody'"),
        ("{provider: openai, model: text-embedding-3-small}", "input or output tokens"),
        ("{provider: perplexity, model: sonar-pro}", "14 USD per 1,000 requests, expected prices of tokens"),
    ],
)
def test_a_model_without_a_price_is_refused_at_load(price: str, told: str) -> None:
    with pytest.raises(UnpricedModelError, match=told):
        compile_prices(a_catalogue(price), NOW)


def test_a_model_without_a_price_is_refused_at_the_call() -> None:
    with pytest.raises(UnpricedModelError, match="'m' has no"):
        Prices({}).price("m", of_text(1, 1), NOW)


def test_tokens_of_a_class_without_a_price_are_never_free() -> None:
    book = look_up("m", "openai", "text-embedding-3-small")

    with pytest.raises(UnpricedModelError, match="no price of its output tokens of text"):
        cost_of("m", book, of_text(1, 1), NOW)


class Tiered:
    """Two tiers, the larger one dearer for input and cheaper for output."""

    TIERS = (
        rates(
            {
                "input_mtok": Decimal(4),
                "cache_read_mtok": Decimal(2),
                "cache_write_mtok": Decimal(6),
                "output_mtok": Decimal(8),
            },
            200_000,
        ),
        rates(
            {
                "input_mtok": Decimal(2),
                "cache_read_mtok": Decimal(1),
                "cache_write_mtok": Decimal(3),
                "output_mtok": Decimal(9),
            }
        ),
    )

    def at(self, moment: datetime, *, batch: bool = False) -> tuple[Rates, ...]:
        del moment, batch
        return self.TIERS


counts = st.integers(0, 300_000)


@given(fresh=counts, read=counts, write=counts, output=counts)
def test_no_call_costs_more_than_its_worst_case(fresh: int, read: int, write: int, output: int) -> None:
    prices = Prices({"m": Tiered()})
    used = count(fresh=fresh, cache_read=read, cache_write=write, output=output)

    assert prices.price("m", used, NOW) <= prices.worst_case("m", used.input, output, NOW)
