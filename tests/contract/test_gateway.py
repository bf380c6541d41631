"""What stages and engine may rely on, of the gateway and of its fake; and the gateway over real HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from builders import NOW
from fakes import provider_server
from fakes.clock import FakeClock
from fakes.journal import FakeJournal
from fakes.model_gateway import FakeModelGateway
from fakes.model_request import a_request
from fakes.provider_server import ProviderServer, says, serving, wants_key
from fakes.transport import a_completion, a_problem
from processors.breakers import BreakerRules, Breakers
from processors.errors import (
    ClaimedElsewhereError,
    ProcessingError,
    ProviderMalformedError,
    ProviderQuotaError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.buying import CALL_HEADER
from processors.gateway.catalogue import Catalogue, InvalidCatalogueError, default, load
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallKey
from processors.gateway.limits import limits_for
from processors.gateway.prices import compile_prices
from processors.gateway.transport import open_transports
from processors.ports import ModelGateway
from streams.embedded.provider import config as simulated_config
from streams.embedded.provider.server import ProviderServer as SimulatedProvider

DEADLINE_S = 0.5
API_KEY = "sk-test"
KEY = CallKey(revision="r" * 20, step="write")


def a_catalogue(base_url: str) -> Catalogue:
    return load(
        b"""
providers: [{name: p, base_url: "%s", api_key_env: P_KEY, call_deadline_s: %g}]
models: [{name: gpt-5-nano, provider: p, tier: small, price: {input: 1, output: 2}, context_tokens: 8000}]
"""
        % (base_url.encode(), DEADLINE_S)
    )


@dataclass
class Rig:
    server: ProviderServer
    base_url: str
    journal: FakeJournal = field(default_factory=FakeJournal)
    api_key: str = API_KEY

    def __post_init__(self) -> None:
        catalogue = a_catalogue(self.base_url)
        self.transports = open_transports(catalogue, {"p": self.api_key})
        limits = limits_for(catalogue)
        for each in limits.values():
            each.set_share(1.0)
        self.gateway = Gateway(
            catalogue=catalogue,
            prices=compile_prices(catalogue, NOW),
            journal=self.journal,
            limits=limits,
            transports=self.transports,
            clock=FakeClock(),
            gates=Gates(),
            budgets=BudgetBook((), FakeClock()),
            breakers=Breakers(BreakerRules(), time.monotonic),
        )

    async def aclose(self) -> None:
        for each in self.transports.values():
            await each.aclose()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    server = ProviderServer()
    async with serving(server) as base_url:
        rig = Rig(server, base_url)
        yield rig
        await rig.aclose()


@pytest.fixture(params=["fake", "real"])
def gateways(request: pytest.FixtureRequest, rig: Rig) -> Any:
    """A function from one reply, a text or an error, to a gateway that gives it."""

    def fake(reply: Any) -> ModelGateway:
        return FakeModelGateway(reply)

    def real(reply: Any) -> ModelGateway:
        wire = {
            ProviderRateLimitedError: a_problem(429),
            ProviderRefusedError: a_completion(None, refusal="no"),
        }
        rig.server.behaviour = says(a_completion(reply) if isinstance(reply, str) else wire[type(reply)])
        return rig.gateway

    return {"fake": fake, "real": real}[request.param]


async def test_an_answer_carries_its_text_and_the_call_that_it_answers(gateways: Any) -> None:
    request = a_request()

    answer = await gateways("hello").complete(request)

    recorded = answer.recorded
    assert (answer.text, answer.finish_reason) == ("hello", "stop")
    assert recorded.call_id == f"{request.revision}/{request.step}/1"
    assert recorded.task_id == request.task.task_id
    assert recorded.submission_id == request.task.submission_id
    assert (recorded.recipe, recorded.step, recorded.model) == (request.recipe, "write", "gpt-5-nano")
    assert recorded.cost_usd > 0
    assert not recorded.replayed


@pytest.mark.parametrize("error", [ProviderRateLimitedError("slow down"), ProviderRefusedError("no")])
async def test_a_failure_is_one_of_the_tree(gateways: Any, error: ProcessingError) -> None:
    with pytest.raises(type(error)):
        await gateways(error).complete(a_request())


async def test_the_key_and_the_call_go_out_with_the_request(rig: Rig) -> None:
    rig.server.behaviour = wants_key(API_KEY)

    await rig.gateway.complete(a_request())

    assert rig.server.calls[0][CALL_HEADER] == f"{'r' * 20}/write/1"
    assert rig.server.calls[0]["accept-encoding"] == "identity"


async def test_a_wrong_key_is_rejected_and_never_shown(rig: Rig) -> None:
    rig.server.behaviour = wants_key("another")

    with pytest.raises(ProviderRejectedError, match=r"401 .*invalid_api_key.*check key") as raised:
        await rig.gateway.complete(a_request())

    assert API_KEY not in str(raised.value)


def test_a_missing_key_is_told_at_start() -> None:
    with pytest.raises(InvalidCatalogueError, match="set OPENAI_API_KEY"):
        open_transports(default(), {})


def test_a_missing_address_is_told_at_start() -> None:
    catalogue = load(
        b"providers: [{name: p, simulated: true}]\n"
        b"models: [{name: m, provider: p, tier: small, price: {input: 1, output: 2}, context_tokens: 8000}]"
    )

    with pytest.raises(InvalidCatalogueError, match="fill in its base_url"):
        open_transports(catalogue, {})


@pytest.mark.parametrize(
    ("behaviour", "raised", "state"),
    [
        (says(a_problem(429, retry_after="1.5")), ProviderRateLimitedError, "failed"),
        (says(a_problem(429, code="insufficient_quota")), ProviderQuotaError, "failed"),
        (says(a_problem(500)), ProviderUnavailableError, "failed"),
        (says(a_problem(400)), ProviderRejectedError, "failed"),
        (says(a_completion(None, refusal="no")), ProviderRefusedError, "unknown"),
        (says(a_completion(choices=7)), ProviderMalformedError, "unknown"),
        (provider_server.hangs, ProviderTimeoutError, "unknown"),
        (provider_server.trickles, ProviderTimeoutError, "unknown"),
        (provider_server.hangs_up, ProviderUnavailableError, "unknown"),
        (provider_server.cuts, ProviderMalformedError, "unknown"),
        (provider_server.floods, ProviderMalformedError, "unknown"),
        (provider_server.bombs, ProviderMalformedError, "unknown"),
    ],
)
async def test_a_fault_has_one_meaning_and_is_booked(
    rig: Rig, behaviour: Any, raised: type[ProcessingError], state: str
) -> None:
    rig.server.behaviour = behaviour

    with pytest.raises(raised):
        await rig.gateway.complete(a_request())

    (attempt,) = rig.journal.attempts(KEY)
    assert attempt.state == state


async def test_the_wait_that_a_provider_asks_for_is_passed_on(rig: Rig) -> None:
    rig.server.behaviour = says(a_problem(429, retry_after="1.5"))

    with pytest.raises(ProviderRateLimitedError) as raised:
        await rig.gateway.complete(a_request())

    assert raised.value.retry_after_s == 1.5


async def test_a_server_that_is_away_bills_nothing() -> None:
    rig = Rig(ProviderServer(), "http://127.0.0.1:1/v1")

    with pytest.raises(ProviderUnavailableError):
        await rig.gateway.complete(a_request())

    await rig.aclose()
    assert rig.journal.attempts(KEY)[0].state == "failed"


async def test_a_compressed_answer_is_read(rig: Rig) -> None:
    rig.server.behaviour = provider_server.compresses

    assert (await rig.gateway.complete(a_request())).text == '{"a": 1}'


async def test_the_same_call_again_makes_no_request(rig: Rig) -> None:
    first = await rig.gateway.complete(a_request())
    second = await rig.gateway.complete(a_request())

    assert first == second
    assert len(rig.server.calls) == 1


async def test_the_same_call_twice_at_once_makes_one_request(rig: Rig) -> None:
    answers = await asyncio.gather(
        *(rig.gateway.complete(a_request()) for _ in range(2)), return_exceptions=True
    )

    # The journal lets the second wait, or tells it to come back.
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, ClaimedElsewhereError) for error in failed)
    assert (await rig.gateway.complete(a_request())).recorded.call_id.endswith("/1")
    assert len(rig.server.calls) == 1


async def test_the_simulated_provider_is_understood(tmp_path: Any) -> None:
    provider = SimulatedProvider(
        simulated_config.load_config(
            None,
            log_path=tmp_path / "log.jsonl",
            port=0,
            defaults={"latency": {"kind": "fixed", "seconds": 0.0}},
        )
    )
    rig = Rig(ProviderServer(), f"{await provider.start()}/v1")

    answer = await rig.gateway.complete(a_request(schema=PAGE_SCHEMA))

    await rig.aclose()
    await provider.stop()
    assert answer.text.startswith("{")
    assert not answer.recorded.usage_estimated
    assert f"{'r' * 20}/write/1" in (tmp_path / "log.jsonl").read_text()


PAGE_SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
