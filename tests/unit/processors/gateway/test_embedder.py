import base64
import struct
from decimal import Decimal
from typing import Any

import orjson
import pytest

from builders import RECIPE_REF, a_task
from fakes.gateway_rig import EMBEDDING_MODEL, GatewayRig, a_catalogue
from fakes.transport import ScriptedTransport, a_problem
from processors.errors import (
    BudgetExceededError,
    ProviderMalformedError,
    ProviderRateLimitedError,
    UnpricedModelError,
)
from processors.gateway.embedder import TEXTS_MAX, Embedded, Embedder, EmbeddingRequest
from processors.gateway.journal import CallKey
from processors.gateway.wire import WireAnswer
from schemas.catalogue import Format
from schemas.usage import Usage

OPENAI: dict[str, Any] = {
    "data": [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": [0.25, 0]}],
    "model": "text-embedding-3-small-v2",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
GEMINI = {"embeddings": [{"values": [0.25, 0]}, {"values": [0.5, 1]}]}
BASE64 = base64.b64encode(struct.pack("<2f", 0.25, 0.0)).decode()


def a_request(*texts: str, **changes: Any) -> EmbeddingRequest:
    fields = {
        "task": a_task(),
        "recipe": RECIPE_REF,
        "revision": "r" * 20,
        "step": "duplicates",
        "model": EMBEDDING_MODEL,
        "texts": texts or ("one", "two"),
    }
    return EmbeddingRequest(**{**fields, **changes})


class Rig(GatewayRig):
    """An embedder on a gateway on fakes."""

    def __init__(self, reply: Any, spoken: Format = Format.OPENAI_CHAT, *, stream: bool = False) -> None:
        answer = reply if isinstance(reply, WireAnswer) else a_body(reply)
        self.scripted = ScriptedTransport(answer)
        super().__init__(a_catalogue(spoken, stream=stream), self.scripted)

    async def embed(self, *texts: str, **changes: Any) -> Embedded:
        return await Embedder(self.gateway).embed(a_request(*texts, **changes))

    def states(self) -> list[str]:
        return [row.state for row in self.journal.attempts(CallKey(revision="r" * 20, step="duplicates"))]


def a_body(content: object) -> WireAnswer:
    return WireAnswer(status=200, headers={}, body=orjson.dumps(content))


@pytest.mark.parametrize("stream", [False, True])
async def test_vectors_come_in_the_order_of_the_texts_with_price_and_ledger_row(*, stream: bool) -> None:
    rig = Rig(OPENAI, stream=stream)

    embedded = await rig.embed("one", "two")

    recorded = embedded.recorded
    assert embedded.vectors == ((0.25, 0.0), (0.5, 1.0))
    assert (recorded.usage, recorded.usage_estimated) == (Usage(input_fresh=7), False)
    assert recorded.cost_usd == 7 * Decimal("0.0000005")
    assert rig.states() == ["answered"]
    assert orjson.loads(rig.scripted.requests[0].body)["input"] == ["one", "two"]


async def test_the_same_call_again_replays_the_same_vectors_for_free() -> None:
    rig = Rig({"data": [{"embedding": [0.1234567, -0.7654321]}], "usage": {"prompt_tokens": 1}})

    first, second = [await rig.embed("one") for _ in range(2)]

    assert first == second
    assert first.vectors[0] == pytest.approx((0.1234567, -0.7654321), rel=1e-3)
    assert len(rig.scripted.requests) == 1


async def test_vectors_in_base64_are_read() -> None:
    rig = Rig({"data": [{"embedding": BASE64}]})

    assert (await rig.embed("one")).vectors == ((0.25, 0.0),)


async def test_a_usage_that_is_not_told_is_our_own_count_of_the_texts() -> None:
    rig = Rig(GEMINI, Format.GEMINI)

    embedded = await rig.embed("one", "two")

    assert embedded.vectors == ((0.25, 0.0), (0.5, 1.0))
    assert (embedded.recorded.usage, embedded.recorded.usage_estimated) == (Usage(input_fresh=2), True)
    assert rig.scripted.requests[0].path == f"/models/{EMBEDDING_MODEL}:batchEmbedContents"


async def test_a_usage_that_gemini_tells_is_taken() -> None:
    rig = Rig(GEMINI | {"usageMetadata": {"promptTokenCount": 11}}, Format.GEMINI)

    recorded = (await rig.embed("one", "two")).recorded

    assert (recorded.usage.input, recorded.usage_estimated) == (11, False)


async def test_a_usage_above_all_windows_together_is_not_believed() -> None:
    rig = Rig(OPENAI | {"usage": {"prompt_tokens": 201}})

    assert (await rig.embed("one", "two")).recorded.usage_estimated


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"data": []},
        {"data": [{"embedding": ["x"]}] * 2},
        {"data": [{"embedding": []}] * 2},
        {"data": [{"embedding": [1e9]}] * 2},
        {"data": [{"embedding": [1]}, {"embedding": [1, 2]}]},
        {"data": [{"embedding": "not base64"}] * 2},
        {"data": [{"embedding": "AAA="}] * 2},
        {"data": [{"embedding": base64.b64encode(struct.pack("<f", float("nan"))).decode()}] * 2},
        {"data": OPENAI["data"][:1]},
    ],
)
async def test_anything_but_a_vector_for_each_text_is_malformed_and_not_kept(content: Any) -> None:
    rig = Rig(content)

    with pytest.raises(ProviderMalformedError):
        await rig.embed("one", "two")

    assert rig.states() == ["unknown"]


async def test_an_error_has_its_meaning_and_is_free() -> None:
    rig = Rig(a_problem(429))

    with pytest.raises(ProviderRateLimitedError):
        await rig.embed("one")

    assert rig.states() == ["failed"]


async def test_a_call_over_budget_is_not_made() -> None:
    rig = Rig(OPENAI)

    with pytest.raises(BudgetExceededError):
        await rig.embed("one", "two", budget_usd=Decimal("0.0000001"))

    assert (rig.scripted.requests, rig.states()) == ([], [])


async def test_an_unknown_model_stops_the_call() -> None:
    rig = Rig(OPENAI)

    with pytest.raises(UnpricedModelError):
        await rig.embed("one", model="text-embedding-0")

    assert rig.scripted.requests == []


async def test_each_text_has_a_window_of_its_own() -> None:
    text = "Paris is a city, and Rome another one. "
    rig = Rig({"data": [{"embedding": [1.0]}] * 4, "usage": {"prompt_tokens": 150}})

    recorded = (await rig.embed(*(f"{number} {text}" for number in range(4)))).recorded

    assert (recorded.usage.input, recorded.usage_estimated) == (150, False)


@pytest.mark.parametrize("count", [0, TEXTS_MAX + 1])
async def test_texts_are_bounded(count: int) -> None:
    rig = Rig(OPENAI)

    with pytest.raises(ValueError, match=f"{count} texts, expected 1 to 32"):
        await Embedder(rig.gateway).embed(a_request(texts=("x",) * count))
