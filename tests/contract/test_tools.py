"""A question, a tool call, its result and the answer, over real HTTP in each format; replayed for free."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from fakes.model_request import a_request
from fakes.simulated_gateway import SimulatedGateway, simulated
from processors.errors import ProviderRejectedError
from processors.model import ChatMessage, ModelAnswer, ModelRequest, Tool
from schemas.catalogue import Format

SPOKEN = (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.ANTHROPIC_MESSAGES, Format.GEMINI)
THINKERS: tuple[tuple[Format, str, dict[str, bool]], ...] = (
    (Format.OPENAI_RESPONSES, "gpt-5-mini", {"temperature": False}),
    (Format.ANTHROPIC_MESSAGES, "claude-sonnet-5", {"temperature": False}),
    (Format.ANTHROPIC_MESSAGES, "claude-sonnet-4-5", {"reasoning_in_tokens": True}),
    (Format.GEMINI, "gemini-3-pro", {}),
    (Format.DEEPSEEK_CHAT, "deepseek-v4-pro", {}),
)
"""Format, model and what the catalogue says of it."""
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
ASKED = a_request(
    step="agent/1",
    schema=None,
    messages=(
        ChatMessage(role="system", content="You answer with what the tools say."),
        ChatMessage(role="user", content="- city: Paris\nHow is the weather?"),
    ),
    tools=(
        Tool(name="weather", description="Tells the weather.", parameters=PARAMETERS),
        Tool(name="tides", description="Tells the tides.", parameters={"type": "object"}),
    ),
)


def answered(called: ModelAnswer, asked: ModelRequest = ASKED) -> ModelRequest:
    """The question again, with the call and its result behind it."""
    (call,) = called.tool_calls
    said = ChatMessage(role="assistant", content=called.text, tool_calls=called.tool_calls)
    result = ChatMessage(role="tool", content='{"sky": "clear"}', tool_call=call)
    return replace(asked, step="agent/2", messages=(*asked.messages, said, result))


async def exchange(rig: SimulatedGateway, asked: ModelRequest = ASKED) -> tuple[ModelAnswer, ModelAnswer]:
    called = await rig.gateway.complete(asked)
    return called, await rig.gateway.complete(answered(called, asked))


def thoughtful(model: str) -> ModelRequest:
    """The question to a model that is to think, with a temperature that not all of them take."""
    return replace(ASKED, model=model, output_tokens_max=4_000, reasoning_effort="low", temperature=0.5)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("spoken", SPOKEN)
async def test_two_turns_with_a_tool_are_had_once_and_replayed_without_a_request(
    spoken: Format, tmp_path: Path, *, stream: bool
) -> None:
    async with simulated(tmp_path, spoken, stream=stream) as rig:
        called, told = await exchange(rig)
        other_worker = rig.beside("worker-2")
        replayed = await exchange(other_worker)
        await other_worker.aclose()
        requests = rig.requests()

    (call,) = called.tool_calls
    arguments = orjson.loads(call.arguments)
    assert (call.name, arguments["city"]) == ("weather", "Paris")
    assert jsonschema_rs.is_valid(PARAMETERS, arguments)
    assert (called.text, told.tool_calls) == ("", ())
    assert len(told.text) > 100
    assert replayed == (called, told)
    assert [line["call"] for line in requests] == [called.recorded.call_id, told.recorded.call_id]
    assert [line["status"] for line in requests] == [200, 200]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("spoken", "model", "rules"), THINKERS)
async def test_a_model_that_thinks_goes_on_with_its_thoughts_after_a_tool(
    spoken: Format, model: str, rules: dict[str, bool], tmp_path: Path, *, stream: bool
) -> None:
    thinks = {"reasoning": True, **rules}
    async with simulated(tmp_path, spoken, stream=stream, model=model, rules=thinks) as rig:
        called, told = await exchange(rig, thoughtful(model))
        replayed = await exchange(rig, thoughtful(model))
        requests = rig.requests()

    (call,) = called.tool_calls
    assert call.signature
    assert len(told.text) > 100
    assert replayed == (called, told)
    assert [line["status"] for line in requests] == [200, 200]


@pytest.mark.parametrize(("spoken", "model", "rules"), THINKERS)
async def test_a_model_that_thinks_takes_over_from_another_after_a_tool(
    spoken: Format, model: str, rules: dict[str, bool], tmp_path: Path
) -> None:
    thinks = {"reasoning": True, **rules}
    async with simulated(tmp_path, spoken, model=model, rules=thinks) as rig:
        called = await rig.gateway.complete(thoughtful(model))
        (call,) = called.tool_calls
        foreign = replace(called, tool_calls=(replace(call, asked_by="another", signature="its own"),))
        told = await rig.gateway.complete(answered(foreign, thoughtful(model)))

    assert len(told.text) > 100


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("spoken", SPOKEN)
async def test_a_tool_call_is_counted_and_paid(spoken: Format, tmp_path: Path, *, stream: bool) -> None:
    async with simulated(tmp_path, spoken, stream=stream) as rig:
        recorded = (await rig.gateway.complete(ASKED)).recorded
        (line,) = rig.requests()

    assert not recorded.usage_estimated
    assert (recorded.usage.input, recorded.usage.output) == (line["tokens_in"], line["tokens_out"])
    assert recorded.usage.output > 0
    assert recorded.cost_usd > 0


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_a_result_of_a_call_that_nobody_made_is_refused(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken) as rig:
        request = answered(await rig.gateway.complete(ASKED))
        *before, _, result = request.messages

        with pytest.raises(ProviderRejectedError):
            await rig.gateway.complete(replace(request, messages=(*before, result)))
