"""The simulated provider refuses what the real models of those names refuse."""

from typing import Any

import pytest

from fakes.model_request import a_request
from processors.gateway.formats import FORMATS
from processors.model import ChatMessage, Tool, ToolCall
from schemas.catalogue import Format
from streams.embedded.provider.anthropic_messages import AnthropicMessages
from streams.embedded.provider.gemini import Gemini
from streams.embedded.provider.openai_chat import OpenAIChat
from streams.embedded.provider.openai_responses import OpenAIResponses
from streams.embedded.provider.wire import ModelRequest, RequestRejectedError, WireFormat

READERS: dict[Format, WireFormat] = {
    Format.OPENAI_CHAT: OpenAIChat(),
    Format.OPENAI_RESPONSES: OpenAIResponses(),
    Format.ANTHROPIC_MESSAGES: AnthropicMessages(),
    Format.GEMINI: Gemini(stream=False),
}
IN_A_WORD = {"reasoning_effort": "low"}
IN_TOKENS = {"reasoning_effort": "low", "reasoning_in_tokens": True}
CLAUDE = Format.ANTHROPIC_MESSAGES


def read(spoken: Format, **changes: Any) -> ModelRequest:
    """What the provider makes of a request as it goes out."""
    request = a_request(output_tokens_max=4_000, **changes)
    return READERS[spoken].read(FORMATS[spoken].build_request(request).body, request.model)


def a_round(model: str, signature: str | None) -> tuple[ChatMessage, ...]:
    """A question, a tool call with such a signature, and its result."""
    call = ToolCall(id="c1", name="look", arguments="{}", signature=signature, asked_by=model)
    return (
        ChatMessage(role="user", content="Weather?"),
        ChatMessage(role="assistant", content="", tool_calls=(call,)),
        ChatMessage(role="tool", content="clear", tool_call=call),
    )


@pytest.mark.parametrize(
    ("spoken", "model", "asked", "said"),
    [
        (Format.OPENAI_CHAT, "gpt-5-nano", {"temperature": 0.5}, "'temperature' does not support 0.5"),
        (Format.OPENAI_RESPONSES, "o4-mini", {"temperature": 0.0}, "'temperature' does not support 0.0"),
        (CLAUDE, "claude-sonnet-5", {"temperature": 0.5}, "only be set to 1"),
        (CLAUDE, "claude-opus-4-8", IN_TOKENS, '"thinking.type.enabled" is not supported'),
        (CLAUDE, "claude-sonnet-4-5", IN_A_WORD, "adaptive thinking is not supported"),
    ],
)
def test_a_setting_that_the_model_does_not_take_is_refused(
    spoken: Format, model: str, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(RequestRejectedError, match=said):
        read(spoken, model=model, **asked)


@pytest.mark.parametrize(
    ("spoken", "model", "asked", "thinks"),
    [
        (Format.OPENAI_CHAT, "gpt-4.1-mini", {"temperature": 0.5}, False),
        (Format.OPENAI_CHAT, "gpt-5-nano", {"temperature": 1.0}, False),
        (CLAUDE, "claude-sonnet-4-5", {"temperature": 0.5}, False),
        (CLAUDE, "claude-sonnet-4-5", IN_TOKENS, True),
        (CLAUDE, "claude-sonnet-5", IN_A_WORD, True),
    ],
)
def test_a_setting_that_the_model_takes_is_taken(
    spoken: Format, model: str, asked: dict[str, Any], *, thinks: bool
) -> None:
    assert read(spoken, model=model, **asked).thinks is thinks


@pytest.mark.parametrize(
    ("spoken", "signature"),
    [
        (CLAUDE, '[{"type":"thinking","thinking":"","signature":"forged"}]'),
        (Format.OPENAI_RESPONSES, '[{"type":"reasoning","encrypted_content":"forged"}]'),
        (Format.GEMINI, "forged"),
        (Format.GEMINI, None),
    ],
)
def test_thoughts_that_do_not_come_back_as_they_were_are_refused(
    spoken: Format, signature: str | None
) -> None:
    tool = Tool(name="look", description="looks", parameters={"type": "object"})

    with pytest.raises(RequestRejectedError, match=r"[Ss]ignature"):
        read(spoken, model="m", messages=a_round("m", signature), tools=(tool,))


def test_claude_that_thinks_in_a_number_of_tokens_wants_its_turn_to_begin_with_a_thought() -> None:
    body = FORMATS[CLAUDE].build_request(a_request(messages=a_round("gpt-5-nano", None))).body
    thinking = body[:-1] + b',"thinking":{"type":"enabled","budget_tokens":1024},"max_tokens":4000}'

    with pytest.raises(RequestRejectedError, match="must start with a thinking block"):
        AnthropicMessages().read(thinking)


def test_a_temperature_that_is_null_is_none() -> None:
    body = FORMATS[Format.OPENAI_CHAT].build_request(a_request()).body

    assert OpenAIChat().read(body[:-1] + b',"temperature":null}').model == "gpt-5-nano"


def test_deepseek_wants_its_thoughts_back() -> None:
    with pytest.raises(RequestRejectedError, match="reasoning_content"):
        read(Format.OPENAI_CHAT, model="deepseek-v4-pro", messages=a_round("deepseek-v4-pro", None))
