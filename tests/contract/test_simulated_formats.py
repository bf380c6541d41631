"""The simulated provider in every format that it speaks, as the gateway's own adapters meet it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from builders import NOW
from fakes.model_request import a_request
from processors.errors import (
    ProviderMalformedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from processors.gateway.formats import FORMATS
from processors.gateway.reading import read_answer
from processors.gateway.streaming import StreamReader
from processors.gateway.transport import HttpTransport
from processors.gateway.wire import ParsedAnswer, StopReason, WireRequest
from processors.model import ChatMessage, ModelRequest
from schemas.catalogue import Format, ProviderRules
from streams.embedded.provider.config import Fault, load_config
from streams.embedded.provider.exchange import FAULT_HEADER
from streams.embedded.provider.server import ProviderServer

SPOKEN = [each for each in Format if each is not Format.DEEPSEEK_CHAT]
"""DeepSeek's dialect has the schema in the prompt, which the simulated provider does not read."""

API_KEY = "sk-simulated"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string", "maxLength": 60}, "body_markdown": {"type": "string"}},
    "required": ["title", "body_markdown"],
    "additionalProperties": False,
}
MESSAGES = (
    ChatMessage(role="system", content="You write."),
    ChatMessage(role="user", content="city: Paris"),
)
REQUEST = a_request(schema=SCHEMA, messages=MESSAGES)


class Caller:
    """One format at one server, streamed or not."""

    def __init__(self, spoken: Format, base_url: str, *, stream: bool) -> None:
        rules = ProviderRules(name="p", format=spoken, base_url=f"{base_url}/v1", call_deadline_s=10.0)
        self.transport = HttpTransport(rules, API_KEY)
        self._format = FORMATS[spoken]
        self._stream = stream

    async def ask(self, request: ModelRequest = REQUEST, fault: Fault | None = None) -> ParsedAnswer:
        wire = self._format.build_request(request, stream=self._stream)
        if fault is not None:
            wire = replace(wire, headers={**wire.headers, FAULT_HEADER: fault.value})
        return await self.send(wire)

    async def send(self, wire: WireRequest) -> ParsedAnswer:
        if not self._stream:
            return read_answer("p", self._format, await self.transport.send(wire), NOW)
        async with self.transport.stream(wire) as stream:
            return await StreamReader("p", self._format).read(stream, NOW)


@pytest.fixture(params=[(spoken, stream) for spoken in SPOKEN for stream in (False, True)], ids=str)
async def caller(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Caller]:
    latency = {"latency": {"kind": "fixed", "seconds": 0.0}}
    log_path = tmp_path / "log.jsonl"
    server = ProviderServer(load_config(None, log_path=log_path, port=0, api_key=API_KEY, defaults=latency))
    spoken, stream = request.param
    caller = Caller(spoken, await server.start(), stream=stream)
    yield caller
    await caller.transport.aclose()
    await server.stop()


async def test_the_answer_fits_the_schema_and_is_counted(caller: Caller) -> None:
    parsed = await caller.ask()

    assert jsonschema_rs.is_valid(SCHEMA, orjson.loads(parsed.text))
    assert parsed.stop_reason is StopReason.STOP
    assert parsed.count is not None
    assert parsed.count.usage.output > len(parsed.text) // 8
    assert parsed.count.input >= len("You write.city: Paris") // 4
    assert parsed.response_model == REQUEST.model


async def test_free_text_is_answered_too(caller: Caller) -> None:
    parsed = await caller.ask(replace(REQUEST, schema=None))

    assert len(parsed.text) > 100
    assert not parsed.text.startswith("{")


async def test_a_bound_cuts_the_answer(caller: Caller) -> None:
    parsed = await caller.ask(replace(REQUEST, output_tokens_max=16))

    assert parsed.stop_reason is StopReason.LENGTH
    assert parsed.count is not None
    assert parsed.count.usage.output <= 16


async def test_a_refusal_is_an_outcome(caller: Caller) -> None:
    assert (await caller.ask(fault=Fault.REFUSAL)).stop_reason is StopReason.REFUSAL


async def test_a_missing_usage_is_seen(caller: Caller) -> None:
    assert (await caller.ask(fault=Fault.MISSING_USAGE)).count is None


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.HTTP_429, ProviderRateLimitedError),
        (Fault.HTTP_500, ProviderUnavailableError),
        (Fault.HTTP_503, ProviderUnavailableError),
        (Fault.MALFORMED, (ProviderMalformedError, ProviderUnavailableError)),
        (Fault.TRUNCATED_BODY, (ProviderMalformedError, ProviderUnavailableError)),
    ],
)
async def test_a_fault_has_its_meaning(caller: Caller, fault: Fault, raised: Any) -> None:
    with pytest.raises(raised):
        await caller.ask(fault=fault)


async def test_a_wrong_request_and_a_wrong_key_are_rejected(caller: Caller) -> None:
    wire = FORMATS[Format.OPENAI_CHAT].build_request(REQUEST)

    with pytest.raises(ProviderRejectedError):
        await caller.send(replace(wire, path="/no-such-path"))
    caller.transport._headers.update({"authorization": "", "x-api-key": "", "x-goog-api-key": ""})
    with pytest.raises(ProviderRejectedError, match="401"):
        await caller.ask()
