from decimal import Decimal
from importlib import resources

import pytest

from builders import NOW
from processors.errors import UnpricedModelError
from processors.gateway.catalogue import InvalidCatalogueError, default, load
from processors.gateway.counts import of_text
from processors.gateway.formats import embeddings
from processors.gateway.prices import compile_prices
from schemas.base import Tier
from schemas.catalogue import EMBEDDING_FORMATS, ModelKind, OwnPrice

ONE_MODEL = b"""
providers: [{name: mine, base_url: "http://localhost:1234/v1", limits: {requests_per_minute: 60}}]
models:
  - {name: m, provider: mine, tier: mid, price: {input: 0.05, output: 1}, context_tokens: 8000}
"""


VECTORS = b"  - {name: v, provider: mine, kind: embedding, price: {input: 1, output: 0}, context_tokens: 99}"


def test_the_shipped_catalogue_has_a_model_of_each_tier() -> None:
    assert [default().model_for(tier) for tier in Tier] == ["gpt-5-nano", "gpt-5-mini", "gpt-5"]


def test_the_shipped_models_of_embeddings_are_priced_and_of_no_tier() -> None:
    catalogue = default()
    prices = compile_prices(catalogue, NOW)
    found = [model.name for model in catalogue.rules.models if model.kind is ModelKind.EMBEDDING]

    million = of_text(1_000_000, 0)
    assert [(name, prices.price(name, million, NOW)) for name in found] == [
        ("text-embedding-3-small", Decimal("0.02")),
        ("text-embedding-3-large", Decimal("0.13")),
    ]


def test_what_the_shipped_catalogue_has_in_comments_can_be_used() -> None:
    written = resources.files("processors.gateway").joinpath("catalogue.yaml").read_text("utf-8")
    lines = [line.strip() for line in written.splitlines()]
    shown = [line.removeprefix("#   ") for line in lines if line.startswith("#   {")]
    models = [line for line in shown if "kind: embedding" in line]
    providers = [line for line in shown if line not in models and "name: openai," not in line]
    openai = [line for line in shown if "name: openai," in line]
    small = "{name: m, provider: google, tier: small, price: {input: 1, output: 2}, context_tokens: 8000}"

    content = f"providers: [{', '.join(providers + openai[:1])}]\nmodels: [{', '.join([small, *models])}]"
    catalogue = load(content.encode())

    price = compile_prices(catalogue, NOW).price("gemini-embedding-001", of_text(1_000_000, 0), NOW)
    assert price == Decimal("0.15")


def test_every_format_that_has_embeddings_is_spoken() -> None:
    assert embeddings.EMBEDDING_FORMATS.keys() == EMBEDDING_FORMATS


@pytest.mark.parametrize("tier", list(Tier))
def test_a_tier_without_a_model_gets_the_next_larger_or_else_the_largest(tier: Tier) -> None:
    assert load(ONE_MODEL).model_for(tier) == "m"


def test_a_price_is_the_decimal_that_is_written() -> None:
    price = load(ONE_MODEL).model("m").price

    assert isinstance(price, OwnPrice)
    assert str(price.input) == "0.05"


def test_the_simulated_provider_answers_for_every_model_at_its_price() -> None:
    simulated = default().simulated_at("http://127.0.0.1:8700/v1")

    (provider,) = simulated.used_providers
    assert provider.simulated
    assert provider.base_url == "http://127.0.0.1:8700/v1"
    assert provider.limits == default().rules.providers[1].limits
    assert [model.price for model in simulated.rules.models] == [m.price for m in default().rules.models]


def test_without_a_simulated_provider_nothing_is_simulated() -> None:
    with pytest.raises(InvalidCatalogueError, match="simulated: true"):
        load(ONE_MODEL).simulated_at("http://127.0.0.1:8700/v1")


def test_an_unknown_model_is_unpriced() -> None:
    with pytest.raises(UnpricedModelError, match="'gpt-0' is not in the catalogue"):
        default().model("gpt-0")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"providers: &a []\nmodels: *a", "anchors"),
        (b"[]", "whole"),
        (b"providers: 2026-01-01", "providers"),
        (ONE_MODEL.replace(b"tier: mid", b"tier: huge"), "models.0.tier"),
        (ONE_MODEL.replace(b"provider: mine", b"provider: yours"), "yours"),
        (ONE_MODEL.replace(b"tier: mid", b"kind: chat"), "chat model 'm' has tier None"),
        (ONE_MODEL.replace(b"tier: mid", b"tier: mid, kind: embedding"), "has tier mid"),
        (ONE_MODEL.replace(b"tier: mid", b"kind: embedding"), "no model is of kind chat"),
        (
            ONE_MODEL.replace(b"{name: mine,", b"{name: mine, format: anthropic-messages,") + VECTORS,
            "which anthropic-messages has not",
        ),
        (ONE_MODEL.replace(b"http://localhost", b"http://user:secret@localhost"), "base_url"),
        (ONE_MODEL.replace(b'base_url: "http://localhost:1234/v1", ', b""), "no base_url"),
        (b"#" * 70_000, "70000 bytes"),
    ],
)
def test_a_wrong_catalogue_says_where(content: bytes, told: str) -> None:
    with pytest.raises(InvalidCatalogueError, match=told) as raised:
        load(content)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("fallbacks", ["[gone]", "[a]", "[b, b]", "[b, c, d, e, f]"])
def test_fallbacks_are_other_models_of_the_catalogue_each_once_and_few(fallbacks: str) -> None:
    models = "\n".join(
        f"  - {{name: {name}, provider: p, tier: small, price: {{input: 1, output: 2}}, context_tokens: 8000,"
        f" fallbacks: {fallbacks if name == 'a' else '[]'}}}"
        for name in "abcdef"
    )

    with pytest.raises(InvalidCatalogueError, match="fall"):
        load(f'providers: [{{name: p, base_url: "http://p.test/v1"}}]\nmodels:\n{models}'.encode())


def test_every_shipped_model_has_a_fallback_and_keeps_it_at_the_simulated_provider() -> None:
    simulated = default().simulated_at("http://127.0.0.1:8700/v1")

    for model in default().rules.models:
        assert simulated.fallbacks(model.name) == model.fallbacks
        assert bool(model.fallbacks) is (model.kind is ModelKind.CHAT)
