"""What goes out suits who answers: parts that fit the window, effort where it reasons, a cache key."""

from typing import Any

import orjson
import pytest

from builders import NOW
from fakes.clock import FakeClock
from fakes.journal import FakeJournal
from fakes.model_request import a_request
from fakes.prompt_part import a_part, a_parted_request
from fakes.transport import ScriptedTransport
from processors.breakers import BreakerRules, Breakers
from processors.gates import Gates
from processors.gateway import context
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import load
from processors.gateway.gateway import Gateway
from processors.gateway.limits import ProviderLimits
from processors.gateway.prices import compile_prices
from processors.model import ModelAnswer, ModelRequest
from schemas.recipe import Trim

CATALOGUE = load(
    b'providers: [{name: p, base_url: "http://p.test/v1", prompt_cache_key: true},'
    b' {name: plain, base_url: "http://q.test/v1"}]\n'
    b"models:\n"
    b"- {name: thinker, provider: p, tier: small, context_tokens: 2000, price: {input: 1, output: 2},"
    b" reasoning: true, temperature: false}\n"
    b"- {name: wide, provider: plain, tier: mid, context_tokens: 90000, price: {input: 1, output: 2}}"
)
REQUEST = a_parted_request(
    a_part("examples", text="An example page. " * 400, trim=Trim.DROP),
    a_part("row"),
    output_tokens_max=500,
    reasoning_effort="low",
    temperature=0.5,
)


@pytest.fixture(autouse=True)
def estimating(monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimate is enough here, and loading the vocabulary takes a second."""
    monkeypatch.setattr(context, "find_spec", lambda _name: None)


class SuitedRig:
    """A gateway to two providers, on fakes."""

    def __init__(self) -> None:
        self.transport = ScriptedTransport()
        limits = {name: ProviderLimits(name, CATALOGUE.used_providers[0].limits) for name in ("p", "plain")}
        for each in limits.values():
            each.set_share(1.0)
        self.gateway = Gateway(
            catalogue=CATALOGUE,
            prices=compile_prices(CATALOGUE, NOW),
            journal=FakeJournal(),
            limits=limits,
            transports=dict.fromkeys(limits, self.transport),
            clock=FakeClock(),
            gates=Gates(),
            budgets=BudgetBook((), FakeClock()),
            breakers=Breakers(BreakerRules(), lambda: 0.0),
        )

    async def complete(self, request: ModelRequest = REQUEST, **changes: Any) -> ModelAnswer:
        fields = {name: getattr(request, name) for name in request.__slots__}
        return await self.gateway.complete(a_request(**{**fields, "model": "thinker", **changes}))

    def sent(self) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(self.transport.requests[-1].body)
        return body


async def test_parts_are_trimmed_for_the_model_that_is_asked_and_no_other() -> None:
    rig = SuitedRig()

    narrow = await rig.complete()
    assert rig.sent()["messages"][-1]["content"] == "Paris is large."
    wide = await rig.complete(model="wide", revision="another")
    assert rig.sent()["messages"][-1]["content"].startswith("An example page.")

    assert (narrow.recorded.trimmed, wide.recorded.trimmed) == (("examples",), ())


async def test_a_replay_tells_what_was_trimmed_when_the_answer_was_bought() -> None:
    rig = SuitedRig()

    first, again = await rig.complete(), await rig.complete()

    assert len(rig.transport.requests) == 1
    assert again.recorded == first.recorded


async def test_effort_goes_only_to_models_that_reason() -> None:
    rig = SuitedRig()

    await rig.complete()
    assert rig.sent()["reasoning_effort"] == "low"
    await rig.complete(model="wide", revision="another")
    assert "reasoning_effort" not in rig.sent()


async def test_a_temperature_goes_only_to_models_that_take_one() -> None:
    rig = SuitedRig()

    await rig.complete()
    assert "temperature" not in rig.sent()
    await rig.complete(model="wide", revision="another")
    assert rig.sent()["temperature"] == 0.5


async def test_a_cache_key_goes_only_to_providers_that_take_one() -> None:
    rig = SuitedRig()

    await rig.complete()
    assert len(rig.sent()["prompt_cache_key"]) == 32
    await rig.complete(model="wide", revision="another")
    assert "prompt_cache_key" not in rig.sent()
