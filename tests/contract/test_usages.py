"""Usage objects that providers gave: normal form and price are those of the dataset, or differ by a name."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from processors.errors import UnpricedModelError
from processors.gateway.catalogue import default
from processors.gateway.raw_usage import (
    NOT_SPOKEN,
    PricedUsage,
    RawUsage,
    UnreadableUsageError,
    price_raw,
)

PRICED_AT = datetime(2026, 8, 21, 12, tzinfo=UTC)
CLASSES = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "input_cache_read",
    "cache_write_tokens": "input_cache_write",
    "output_reasoning_tokens": "reasoning",
}
OVERLOOKED = {"cache_write_tokens", "output_reasoning_tokens"}
OTHER = ("audio", "image", "video")
DIFFERING_SHARE_MAX = 0.05

SAME = "as expected"
MOVED = "price moved: the installed price book says what we say"
GONE = "price gone: the installed price book has none"
DETAIL = "detail told: the dataset's own reader overlooks a class that the provider tells"
NOT_SPOKEN_API = "refused: the provider's own API is not spoken"
WRONG = "WRONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    body: dict[str, Any]
    model: str
    provider: str
    api: str
    tokens: dict[str, int]
    input_price: Decimal
    output_price: Decimal

    @property
    def usage(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("usage") or self.body["usageMetadata"]
        return found

    def priced(self) -> PricedUsage:
        raw = RawUsage(
            provider=self.provider, model=self.model, usage=self.usage, api=self.api, moment=PRICED_AT
        )
        return price_raw(raw, default())

    def by_the_book(self) -> tuple[Decimal, Decimal]:
        """What the installed price book's own reader and reckoner make of it."""
        read = genai_prices.extract_usage(
            {"usage": self.usage, "usageMetadata": self.usage}, provider_id=self.provider, api_flavor=self.api
        )
        cost = genai_prices.calc_price(
            read.usage, self.model, provider_id=self.provider, genai_request_timestamp=PRICED_AT
        )
        return cost.input_price, cost.output_price


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> tuple[Row, ...]:
    return tuple(_rows(json.loads(request.config.getoption("--usages").read_text("utf-8"))))


def test_every_row_is_as_expected_or_differs_by_a_name(
    rows: tuple[Row, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = [(_verdict(row), row) for row in rows]

    counts = Counter(verdict for verdict, _ in verdicts)
    with capsys.disabled():
        print(f"\n{len(rows)} prices of usage objects: {dict(counts)}")  # noqa: T201 - what is asked for
    assert [row for verdict, row in verdicts if verdict == WRONG] == []
    assert len(rows) - counts[SAME] - counts[NOT_SPOKEN_API] <= DIFFERING_SHARE_MAX * len(rows)


def _rows(content: list[dict[str, Any]]) -> Iterator[Row]:
    for entry in content:
        for reading in entry["extracted"]:
            for priced in reading["extractors"]:
                if "input_price" in priced:
                    yield Row(
                        body=entry["body"],
                        model=entry["model"],
                        provider=priced["provider_id"],
                        api=priced["api_flavor"],
                        tokens=reading["usage"],
                        input_price=Decimal(priced["input_price"]),
                        output_price=Decimal(priced["output_price"]),
                    )


def _verdict(row: Row) -> str:
    try:
        priced = row.priced()
    except UnreadableUsageError:
        return NOT_SPOKEN_API if row.api == "default" and row.provider in NOT_SPOKEN else WRONG
    except UnpricedModelError:
        return GONE if row.by_the_book()[0] == 0 else WRONG
    differing = {key for key in CLASSES if _told(priced, key) != row.tokens.get(key, 0)}
    if (
        differing - OVERLOOKED
        or any(row.tokens.get(key) for key in differing)
        or not _other_fits(priced, row)
    ):
        return WRONG
    if (priced.cost.input, priced.cost.output) == (row.input_price, row.output_price):
        return DETAIL if differing else SAME
    if (priced.cost.input, priced.cost.output) == row.by_the_book():
        return MOVED
    return DETAIL if "cache_write_tokens" in differing else WRONG


def _told(priced: PricedUsage, key: str) -> int:
    tokens: int = getattr(priced.usage, CLASSES[key])
    return tokens


def _other_fits(priced: PricedUsage, row: Row) -> bool:
    """What is neither text nor cached is of the class `other`."""
    asked = sum(row.tokens.get(f"input_{modality}_tokens", 0) for modality in OTHER)
    cached = sum(row.tokens.get(f"cache_{modality}_read_tokens", 0) for modality in OTHER)
    overlooked = row.provider not in {"google", "openai", "openrouter", "groq"}
    return priced.usage.input_other == asked - cached or overlooked
