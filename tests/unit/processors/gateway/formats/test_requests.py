"""What goes out in each format, beside what `test_openai_chat.py` tells of chat completions."""

from typing import Any

import orjson
import pytest

from fakes.model_request import a_request
from processors.gateway.formats import FORMATS
from processors.model import ChatMessage, Tool, ToolCall
from schemas.catalogue import Format

CALL = ToolCall(
    id="c1", name="weather", arguments='{"city":"Paris"}', signature="sig", asked_by=a_request().model
)
ROUND = (
    ChatMessage(role="system", content="You write."),
    ChatMessage(role="user", content="Weather?"),
    ChatMessage(role="assistant", content="", tool_calls=(CALL,)),
    ChatMessage(role="tool", content="sunny", tool_call=CALL),
)
TOOL = Tool(name="weather", description="tells it", parameters={"type": "object"})


def sent(spoken: Format, *, stream: bool = False, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(
        FORMATS[spoken].build_request(a_request(**changes), stream=stream).body
    )
    return body


def test_chat_carries_a_round_of_tools_effort_and_seed() -> None:
    body = sent(
        Format.OPENAI_CHAT,
        messages=ROUND,
        tools=(TOOL,),
        schema=None,
        seed=7,
        reasoning_effort="low",
        prompt_cache_key="k",
        stream=True,
    )

    assert body["messages"][2]["tool_calls"][0]["function"] == {
        "name": "weather",
        "arguments": '{"city":"Paris"}',
    }
    assert body["messages"][3] == {"role": "tool", "content": "sunny", "tool_call_id": "c1"}
    assert body["tools"][0]["function"]["parameters"] == {"type": "object"}
    assert (body["seed"], body["reasoning_effort"]) == (7, "low")
    assert body["prompt_cache_key"] == "k"
    assert body["stream_options"] == {"include_usage": True}
    assert "response_format" not in body


def test_responses_carry_items() -> None:
    body = sent(Format.OPENAI_RESPONSES, messages=ROUND, tools=(TOOL,), reasoning_effort="high")

    assert [item.get("type", item.get("role")) for item in body["input"]] == [
        "system",
        "user",
        "function_call",
        "function_call_output",
    ]
    assert body["text"]["format"]["schema"] == {"type": "object"}
    assert body["tools"] == [
        {
            "type": "function",
            "name": "weather",
            "description": "tells it",
            "parameters": {"type": "object"},
        }
    ]
    assert (body["max_output_tokens"], body["reasoning"], body["store"]) == (1_000, {"effort": "high"}, False)


def test_messages_carry_the_system_prompt_beside_and_mark_the_end_of_the_prefix() -> None:
    body = sent(Format.ANTHROPIC_MESSAGES, messages=ROUND, tools=(TOOL,), cache_ttl="1h")

    assert body["system"] == [
        {"type": "text", "text": "You write.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"][0]["input"] == {"city": "Paris"}
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "sunny"}
    ]
    assert body["output_config"]["format"]["schema"] == {"type": "object"}
    assert "cache_control" not in body["tools"][0]


@pytest.mark.parametrize(
    ("output_tokens_max", "thinking"),
    [
        (10_000, {"type": "enabled", "budget_tokens": 2_048}),
        (3_000, {"type": "enabled", "budget_tokens": 1_500}),
        (1_000, {"type": "disabled"}),
    ],
)
def test_thinking_leaves_room_for_the_answer(output_tokens_max: int, thinking: dict[str, Any]) -> None:
    body = sent(
        Format.ANTHROPIC_MESSAGES,
        output_tokens_max=output_tokens_max,
        reasoning_effort="low",
        reasoning_in_tokens=True,
    )

    assert body["thinking"] == thinking


@pytest.mark.parametrize(
    ("effort", "temperature"),
    [
        ({}, 0.5),
        ({"reasoning_effort": "low"}, None),
        ({"reasoning_effort": "low", "reasoning_in_tokens": True}, None),
    ],
)
def test_claude_is_asked_to_think_or_given_a_temperature(
    effort: dict[str, Any], temperature: float | None
) -> None:
    body = sent(Format.ANTHROPIC_MESSAGES, output_tokens_max=10_000, temperature=0.5, **effort)

    assert body.get("temperature") == temperature


def test_later_claude_is_told_its_effort_in_a_word_beside_the_schema() -> None:
    body = sent(Format.ANTHROPIC_MESSAGES, reasoning_effort="minimal")

    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {"type": "object"}},
    }


@pytest.mark.parametrize(
    ("form", "told"),
    [({"reasoning_in_tokens": True}, {"thinkingBudget": 8_192}), ({}, {"thinkingLevel": "medium"})],
)
def test_gemini_is_told_how_much_to_think(form: dict[str, Any], told: dict[str, object]) -> None:
    body = sent(Format.GEMINI, reasoning_effort="medium", **form)

    assert body["generationConfig"]["thinkingConfig"] == told


def test_gemini_has_the_model_in_the_address_and_gets_signatures_back() -> None:
    request = a_request(messages=ROUND, tools=(TOOL,), seed=7, temperature=0.5)
    wire = FORMATS[Format.GEMINI].build_request(request)
    body = orjson.loads(wire.body)

    assert wire.path == "/models/gpt-5-nano:generateContent"
    assert body["systemInstruction"] == {"parts": [{"text": "You write."}]}
    assert [turn["role"] for turn in body["contents"]] == ["user", "model", "user"]
    assert body["contents"][1]["parts"] == [
        {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": "sig"}
    ]
    assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == "weather"
    assert body["generationConfig"] == {
        "maxOutputTokens": 1_000,
        "temperature": 0.5,
        "seed": 7,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }


def test_deepseek_gets_the_schema_in_the_prompt() -> None:
    body = sent(Format.DEEPSEEK_CHAT)

    assert body["response_format"] == {"type": "json_object"}
    assert '{"type":"object"}' in body["messages"][0]["content"]
    assert body["max_tokens"] == 1_000


@pytest.mark.parametrize(("asked", "goes_out"), [(0.0, 0.01), (0.5, 0.5), (2.0, 1.0)])
def test_minimax_gets_a_temperature_that_it_takes(asked: float, goes_out: float) -> None:
    body = sent(Format.MINIMAX_CHAT, temperature=asked)

    assert (body["temperature"], body["reasoning_split"]) == (goes_out, True)


@pytest.mark.parametrize("spoken", Format)
def test_a_key_stands_in_a_header(spoken: Format) -> None:
    assert any("sk-secret" in value for value in FORMATS[spoken].key_headers("sk-secret").values())
    assert b"sk-secret" not in FORMATS[spoken].build_request(a_request()).body


def test_every_format_is_spoken() -> None:
    assert set(FORMATS) == set(Format)
