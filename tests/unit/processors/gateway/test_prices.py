from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.errors import UnpricedModelError
from processors.gateway.catalogue import Catalogue, default, load
from processors.gateway.prices import Prices, Rates, compile_prices
from schemas.usage import Usage

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def a_catalogue(price: str) -> Catalogue:
    return load(
        b'providers: [{name: p, base_url: "http://p.test/v1"}]\n'
        b"models: [{name: m, provider: p, tier: small, context_tokens: 1000000, price: %s}]" % price.encode()
    )


def test_each_class_of_tokens_has_its_own_price() -> None:
    prices = compile_prices(default(), NOW)
    usage = Usage(input_fresh=1_000_000, input_cache_read=1_000_000, output=1_000_000, reasoning=900_000)

    assert prices.price("gpt-5-nano", usage) == Decimal("0.455")


def test_an_own_price_stands_for_the_classes_that_it_leaves_out() -> None:
    prices = compile_prices(a_catalogue("{input: 2, output: 3, cache_write: 4}"), NOW)
    usage = Usage(input_fresh=1, input_cache_read=1, input_cache_write=1, input_other=1, output=1)

    assert prices.price("m", usage) * 1_000_000 == 2 + 2 + 4 + 2 + 3


def test_a_tiered_price_holds_for_all_tokens_above_its_threshold() -> None:
    prices = compile_prices(a_catalogue("{provider: google, model: gemini-2.5-pro}"), NOW)

    assert prices.price("m", Usage(input_fresh=200_000)) == Decimal("0.25")
    assert prices.price("m", Usage(input_fresh=200_001)) == 200_001 * Decimal("0.0000025")


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("{provider: openai, model: gpt-0-none}", "genai-prices has no 'gpt-0-none'"),
        ("{provider: nobody, model: gpt-5}", "genai-prices has no 'gpt-5' of 'nobody'"),
        ("{provider: deepseek, model: deepseek-chat}", "time of day"),
    ],
)
def test_a_model_without_a_fixed_price_is_refused_at_load(price: str, told: str) -> None:
    with pytest.raises(UnpricedModelError, match=told):
        compile_prices(a_catalogue(price), NOW)


def test_a_model_without_a_price_is_refused_at_the_call() -> None:
    with pytest.raises(UnpricedModelError, match="'m' has no"):
        Prices({}).price("m", Usage())


counts = st.integers(0, 300_000)


@given(fresh=counts, read=counts, write=counts, output=counts)
def test_no_call_costs_more_than_its_worst_case(fresh: int, read: int, write: int, output: int) -> None:
    cheap = Rates(
        fresh=Decimal(2), cache_read=Decimal(1), cache_write=Decimal(3), other=Decimal(2), output=Decimal(9)
    )
    dear = Rates(
        above_input_tokens=200_000,
        fresh=Decimal(4),
        cache_read=Decimal(2),
        cache_write=Decimal(6),
        other=Decimal(4),
        output=Decimal(8),
    )
    prices = Prices({"m": (dear, cheap)})
    usage = Usage(input_fresh=fresh, input_cache_read=read, input_cache_write=write, output=output)

    assert prices.price("m", usage) <= prices.worst_case("m", usage.input, output)
