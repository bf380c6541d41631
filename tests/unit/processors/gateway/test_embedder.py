from decimal import Decimal
from typing import Any

import orjson
import pytest

from fakes.clock import FakeClock
from fakes.transport import ScriptedTransport, a_problem
from processors.errors import ProviderMalformedError, ProviderRateLimitedError, UnpricedModelError
from processors.gateway.embedder import TEXTS_MAX, Embedder
from processors.gateway.price_lists import PriceList, look_up
from processors.gateway.wire import WireAnswer
from schemas.catalogue import Format, ProviderRules
from schemas.usage import Usage

OPENAI: dict[str, Any] = {
    "data": [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": [0.25, 0]}],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
GEMINI = {"embeddings": [{"values": [0.25, 0]}, {"values": [0.5, 1]}]}


class Rig:
    def __init__(
        self, reply: Any, spoken: Format = Format.OPENAI_CHAT, prices: PriceList | None = None
    ) -> None:
        answer = reply if isinstance(reply, WireAnswer) else a_body(reply)
        self.transport = ScriptedTransport(answer)
        self.embedder = Embedder(
            rules=ProviderRules(name="p", format=spoken, base_url="http://p.test/v1"),
            model="text-embedding-3-small",
            prices=prices or look_up("m", "openai", "text-embedding-3-small"),
            transport=self.transport,
            clock=FakeClock(),
        )


def a_body(content: object) -> WireAnswer:
    return WireAnswer(status=200, headers={}, body=orjson.dumps(content))


async def test_vectors_come_in_the_order_of_the_texts_with_their_price() -> None:
    rig = Rig(OPENAI)

    embedded = await rig.embedder.embed(("one", "two"))

    assert embedded.vectors == ((0.25, 0.0), (0.5, 1.0))
    assert (embedded.usage, embedded.usage_estimated) == (Usage(input_fresh=7), False)
    assert embedded.cost_usd == Decimal("0.00000014")
    assert orjson.loads(rig.transport.requests[0].body)["input"] == ["one", "two"]


async def test_a_usage_that_is_not_told_is_our_own_count() -> None:
    rig = Rig(GEMINI, Format.GEMINI)

    embedded = await rig.embedder.embed(("one", "two"))

    assert embedded.vectors == ((0.25, 0.0), (0.5, 1.0))
    assert (embedded.usage.input, embedded.usage_estimated) == (2, True)
    assert rig.transport.requests[0].path == "/models/text-embedding-3-small:batchEmbedContents"


async def test_a_usage_that_gemini_tells_is_taken() -> None:
    rig = Rig(GEMINI | {"usageMetadata": {"promptTokenCount": 11}}, Format.GEMINI)

    embedded = await rig.embedder.embed(("one", "two"))

    assert (embedded.usage.input, embedded.usage_estimated) == (11, False)


@pytest.mark.parametrize(
    "content", [{}, {"data": []}, {"data": [{"embedding": ["x"]}] * 2}, {"data": OPENAI["data"][:1]}]
)
async def test_anything_but_a_vector_for_each_text_is_malformed(content: Any) -> None:
    with pytest.raises(ProviderMalformedError):
        await Rig(content).embedder.embed(("one", "two"))


async def test_an_error_has_its_meaning() -> None:
    with pytest.raises(ProviderRateLimitedError):
        await Rig(a_problem(429)).embedder.embed(("one",))


async def test_an_unknown_price_stops_the_call() -> None:
    class Unpriced:
        def at(self, *_: object, **__: object) -> Any:
            raise UnpricedModelError("no price")

    rig = Rig(OPENAI, prices=Unpriced())

    with pytest.raises(UnpricedModelError):
        await rig.embedder.embed(("one",))
    assert rig.transport.requests == []


@pytest.mark.parametrize("count", [0, TEXTS_MAX + 1])
async def test_texts_are_bounded(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 100"):
        await Rig(OPENAI).embedder.embed(("x",) * count)
