"""Prices of a catalogue's own: by day, and through the batch endpoint."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import NOW
from fakes.gateway_rig import GatewayRig
from fakes.model_request import a_request
from fakes.transport import ScriptedTransport, a_completion
from processors.errors import UnpricedModelError
from processors.gateway.catalogue import Catalogue, InvalidCatalogueError, load
from processors.gateway.counts import Kind, Modality, TokenCount, of_text
from processors.gateway.price_lists import OwnPriceList
from processors.gateway.prices import compile_prices, cost_of
from processors.gateway.wire import WireAnswer, WireRequest
from schemas.catalogue import OwnPrice

PRICE = """
      input: 1
      output: 10
      cache_read: 0.1
      batch: {input: 0.5, output: 5}
      changes:
        - {from: 2026-01-03, input: 2, output: 20}
        - {from: 2026-02-01, input: 0.3, output: 3, cache_write: 0.4, batch: {input: 0.2, output: 2}}
"""
MILLION_OF_EACH = TokenCount(
    {
        (kind, Modality.TEXT): 1_000_000
        for kind in (Kind.FRESH, Kind.CACHE_READ, Kind.CACHE_WRITE, Kind.OUTPUT)
    }
)
GUIDE = Path(__file__).parents[4] / "deploy" / "models.md"
EASTERN = timezone(timedelta(hours=-5))


def a_catalogue(price: str = PRICE) -> Catalogue:
    return load(
        f"""
providers: [{{name: p, base_url: "http://p.test/v1"}}, {{name: s, simulated: true}}]
models:
  - name: {a_request().model}
    provider: p
    tier: small
    context_tokens: 8000
    price: {price}
""".encode()
    )


def own(catalogue: Catalogue) -> OwnPriceList:
    model = catalogue.rules.models[0]
    assert isinstance(model.price, OwnPrice)
    return OwnPriceList(model.name, model.price)


GOLDEN: list[tuple[datetime, bool, str]] = [
    (datetime(1999, 1, 1, tzinfo=UTC), False, "12.1"),
    (datetime(2026, 1, 2, 23, 59, 59, 999_999, tzinfo=UTC), False, "12.1"),
    (datetime(2026, 1, 3, tzinfo=UTC), False, "26"),
    (datetime(2026, 1, 2, 18, 59, tzinfo=EASTERN), False, "12.1"),
    (datetime(2026, 1, 2, 19, 0, tzinfo=EASTERN), False, "26"),
    (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), False, "26"),
    (datetime(2026, 2, 1, tzinfo=UTC), False, "4"),
    (datetime(2999, 1, 1, tzinfo=UTC), False, "4"),
    (datetime(2026, 1, 2, tzinfo=UTC), True, "6.5"),
    (datetime(2026, 2, 1, tzinfo=UTC), True, "2.6"),
]


TIERED = """
      input: 1
      output: 10
      tiers:
        - {above_input_tokens: 1000, input: 2, output: 20}
        - {above_input_tokens: 5000, input: 3, output: 30}
      batch: {input: 0.5, output: 5, tiers: [{above_input_tokens: 1000, input: 1, output: 11}]}
"""


@pytest.mark.parametrize(
    ("input_tokens", "batch", "usd"),
    [
        (1000, False, "0.002"),
        (1001, False, "0.004002"),
        (5000, False, "0.012"),
        (5001, False, "0.018003"),
        (1000, True, "0.001"),
        (1001, True, "0.002101"),
    ],
)
def test_a_longer_prompt_costs_its_tiers_price_for_all_tokens(
    input_tokens: int, usd: str, *, batch: bool
) -> None:
    count = of_text(input_tokens, 100)

    cost = cost_of("m", own(a_catalogue(TIERED)), count, NOW, batch=batch)

    assert cost.total == Decimal(usd)


def test_the_worst_case_of_a_long_prompt_is_that_of_its_tier() -> None:
    prices = compile_prices(a_catalogue(TIERED), NOW)

    assert prices.worst_case(a_request().model, 1000, 100, NOW) == Decimal("0.002")
    assert prices.worst_case(a_request().model, 1001, 100, NOW) == Decimal("0.004002")


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        ("{input: 1, output: 10, cache_write: 1.25, cache_write_1h: 2}", "2"),
        ("{input: 1, output: 10, cache_write_1h: 0}", "0"),
        ("{input: 1, output: 10, cache_write: 1.25}", "1.25"),
        ("{input: 1, output: 10}", "1"),
    ],
)
def test_what_is_kept_for_an_hour_costs_as_any_write_unless_it_has_a_price(price: str, usd: str) -> None:
    kept = TokenCount({(Kind.CACHE_WRITE_1H, Modality.TEXT): 1_000_000})

    assert cost_of("m", own(a_catalogue(price)), kept, NOW).total == Decimal(usd)


def test_the_worst_case_is_that_all_of_a_prompt_is_kept_for_an_hour() -> None:
    prices = compile_prices(a_catalogue("{input: 1, output: 10, cache_write_1h: 2}"), NOW)

    assert prices.worst_case(a_request().model, 1000, 100, NOW) == Decimal("0.003")


@pytest.mark.parametrize("starts", [(5000, 1000), (1000, 1000)])
def test_tiers_out_of_order_are_refused(starts: tuple[int, int]) -> None:
    tiers = [f"{{above_input_tokens: {start}, input: 2, output: 20}}" for start in starts]

    with pytest.raises(InvalidCatalogueError, match="expected each once, in order"):
        a_catalogue(f"{{input: 1, output: 10, tiers: [{', '.join(tiers)}]}}")


@pytest.mark.parametrize(("moment", "batch", "usd"), GOLDEN, ids=str)
def test_the_price_is_that_of_the_day(moment: datetime, usd: str, *, batch: bool) -> None:
    cost = cost_of("m", own(a_catalogue()), MILLION_OF_EACH, moment, batch=batch)

    assert cost.total == Decimal(usd)


def test_the_example_in_the_documents_is_one() -> None:
    shown = GUIDE.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    prices = own(a_catalogue(shown.removeprefix("price:").replace("\n", "\n    ")))

    costs = [
        cost_of("m", prices, MILLION_OF_EACH, datetime(2026, month, 1, tzinfo=UTC), batch=batch).total
        for month in (11, 12)
        for batch in (False, True)
    ]
    assert costs == [Decimal("22.5"), Decimal("6.875"), Decimal(11), Decimal("5.5")]


def test_a_change_without_a_batch_price_has_none() -> None:
    with pytest.raises(UnpricedModelError, match="no `batch` that holds on 2026-01-03"):
        own(a_catalogue()).at(datetime(2026, 1, 3, tzinfo=UTC), batch=True)


def test_a_catalogue_that_the_simulated_provider_answers_keeps_all_of_its_prices() -> None:
    catalogue = a_catalogue()

    simulated = catalogue.simulated_at("http://127.0.0.1:1/v1")

    assert simulated.rules.models[0].price == catalogue.rules.models[0].price


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ("[{from: 2026-02-01, input: 1, output: 1}, {from: 2026-01-01, input: 1, output: 1}]", "in order"),
        ("[{from: 2026-02-01, input: 1, output: 1}, {from: 2026-02-01, input: 1, output: 1}]", "once"),
        ("[{input: 1, output: 1}]", "from"),
        ("[{from: soon, input: 1, output: 1}]", "date"),
        ("[{from: 2026-02-01, input: 1}]", "output"),
    ],
)
def test_changes_that_leave_a_doubt_are_refused(changes: str, told: str) -> None:
    with pytest.raises(InvalidCatalogueError, match=told):
        a_catalogue(f"{{input: 1, output: 1, changes: {changes}}}")


class MidnightTransport(ScriptedTransport):
    """Midnight passes while it answers."""

    clock: Any = None

    async def send(self, request: WireRequest) -> WireAnswer:
        self.clock.move(timedelta(days=1))
        return await super().send(request)


async def test_a_call_costs_what_held_when_it_was_planned_and_never_more_than_was_reserved() -> None:
    transport = MidnightTransport(a_completion())
    rig = GatewayRig(a_catalogue(), transport)
    transport.clock = rig.clock

    before = (await rig.gateway.complete(a_request())).recorded
    after = (await rig.gateway.complete(a_request(step="other"))).recorded

    prices = compile_prices(a_catalogue(), NOW)
    assert (before.cost_usd, after.cost_usd) == (
        (400 * Decimal(1) + 300 * Decimal(10)) / 1_000_000,
        (400 * Decimal(2) + 300 * Decimal(20)) / 1_000_000,
    )
    assert rig.attempts[0].intent.cost_max_usd < prices.worst_case(
        a_request().model, 8_000, 1_000, rig.clock.now()
    )
