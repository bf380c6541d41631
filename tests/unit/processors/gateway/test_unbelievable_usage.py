"""A usage that is missing or cannot be true is replaced by our own count and flagged, in each format."""

from typing import Any

import orjson
import pytest

from fakes.gateway_rig import CONTEXT_TOKENS, GatewayRig, a_catalogue
from fakes.model_request import a_request
from fakes.transport import ScriptedTransport
from processors.gateway import tokens
from processors.gateway.formats import FORMATS
from processors.gateway.wire import WireAnswer
from processors.model import Tool
from schemas.catalogue import Format

TEXT = "Paris is a city. " * 20
DIALECTS = {Format.DEEPSEEK_CHAT: Format.OPENAI_CHAT, Format.MINIMAX_CHAT: Format.OPENAI_CHAT}
BODIES: dict[Format, dict[str, Any]] = {
    Format.OPENAI_CHAT: {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]},
    Format.OPENAI_RESPONSES: {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT}]}],
    },
    Format.ANTHROPIC_MESSAGES: {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"},
    Format.GEMINI: {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]},
}
FIELDS = {
    Format.OPENAI_CHAT: ("usage", "prompt_tokens", "completion_tokens"),
    Format.OPENAI_RESPONSES: ("usage", "input_tokens", "output_tokens"),
    Format.ANTHROPIC_MESSAGES: ("usage", "input_tokens", "output_tokens"),
    Format.GEMINI: ("usageMetadata", "promptTokenCount", "candidatesTokenCount"),
}
UNBELIEVABLE = [
    None,
    (0, 10),
    (-1, 10),
    (10, -1),
    (CONTEXT_TOKENS + 1, 10),
    (10, 2_001),
    (10**30, 10),
    ("10", 10),
    (1.5, 10),
    (True, 10),
]


def a_rig(spoken: Format, told: Any) -> GatewayRig:
    base = DIALECTS.get(spoken, spoken)
    key, *names = FIELDS[base]
    usage = None if told is None else dict(zip(names, told, strict=True))
    body = orjson.dumps(BODIES[base] | {key: usage}) if told != (10**30, 10) else _huge(base, key, names)
    return GatewayRig(a_catalogue(spoken), ScriptedTransport(WireAnswer(status=200, headers={}, body=body)))


def _huge(base: Format, key: str, names: list[str]) -> bytes:
    """More than a machine's word, which no writer of JSON but a broken one makes."""
    usage = b'{"%s": 1%s, "%s": 10}' % (names[0].encode(), b"0" * 30, names[1].encode())
    return orjson.dumps(BODIES[base])[:-1] + b', "%s": %s}' % (key.encode(), usage)


@pytest.mark.parametrize("spoken", Format)
@pytest.mark.parametrize("told", UNBELIEVABLE, ids=str)
async def test_what_cannot_be_true_is_our_own_count_and_flagged(spoken: Format, told: Any) -> None:
    rig = a_rig(spoken, told)

    recorded = (await rig.gateway.complete(a_request())).recorded

    sent = FORMATS[spoken].build_request(a_request()).body
    assert recorded.usage_estimated
    assert recorded.usage.input == tokens.input_estimate(sent)
    assert recorded.usage.output == tokens.estimate(TEXT)
    assert rig.attempts[0].cost_usd == recorded.cost_usd > 0


@pytest.mark.parametrize("spoken", Format)
async def test_what_can_be_true_is_taken_as_it_is(spoken: Format) -> None:
    recorded = (await a_rig(spoken, (CONTEXT_TOKENS, 2_000)).gateway.complete(a_request())).recorded

    assert not recorded.usage_estimated
    assert (recorded.usage.input, recorded.usage.output) == (CONTEXT_TOKENS, 2_000)


async def test_our_own_count_has_the_tool_calls_in_it() -> None:
    call = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris " * 50}}
    body = orjson.dumps({"content": [call], "stop_reason": "tool_use"})
    transport = ScriptedTransport(WireAnswer(status=200, headers={}, body=body))
    rig = GatewayRig(a_catalogue(Format.ANTHROPIC_MESSAGES), transport)
    tool = Tool(name="weather", description="tells it", parameters={"type": "object"})

    recorded = (await rig.gateway.complete(a_request(tools=(tool,), schema=None))).recorded

    assert recorded.usage_estimated
    assert recorded.usage.output > 50
