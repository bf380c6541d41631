"""Thoughts that lead to tool calls go back with them: to the model that had them, and to no other."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from fakes.model_request import a_request
from processors.gateway.formats import FORMATS
from processors.gateway.wire import ParsedAnswer
from processors.model import ChatMessage
from schemas.catalogue import Format

MODEL = a_request().model
QUESTION = ChatMessage(role="user", content="Weather?")

THOUGHT = {"type": "thinking", "thinking": "Look first.", "signature": "s1"}
SECOND = {"type": "redacted_thinking", "data": "opaque"}
TEXT = {"type": "text", "text": "I look."}
LOOK = {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "sky"}}
LOOK_AGAIN = {"type": "tool_use", "id": "c2", "name": "look", "input": {}}
MESSAGE = {"type": "message", "stop_reason": "tool_use"}

REASONING = {"type": "reasoning", "id": "rs1", "summary": [], "encrypted_content": "opaque"}
FUNCTION_CALL = {"type": "function_call", "id": "fc1", "call_id": "c1", "name": "look", "arguments": "{}"}

CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
DETAILS = [{"type": "reasoning.encrypted", "data": "opaque", "index": 0}]


def sent(spoken: Format, answer: ParsedAnswer, *, asked_by: str = MODEL, **changes: Any) -> dict[str, Any]:
    """The next request, in which the turn of such an answer goes back."""
    calls = tuple(replace(call, asked_by=asked_by) for call in answer.tool_calls)
    said = ChatMessage(role="assistant", content=answer.text, tool_calls=calls)
    results = (ChatMessage(role="tool", content="clear", tool_call=call) for call in calls)
    request = a_request(messages=(QUESTION, said, *results), output_tokens_max=10_000, **changes)
    body: dict[str, Any] = orjson.loads(FORMATS[spoken].build_request(request).body)
    return body


def claude(*blocks: object) -> ParsedAnswer:
    return FORMATS[Format.ANTHROPIC_MESSAGES].parse_answer({**MESSAGE, "content": list(blocks)})


def chat(spoken: Format, **message: object) -> ParsedAnswer:
    whole = {"content": "", "tool_calls": [CHAT_CALL], **message}
    return FORMATS[spoken].parse_answer({"choices": [{"message": whole, "finish_reason": "tool_calls"}]})


def streamed(spoken: Format, events: Iterable[dict[str, Any]]) -> ParsedAnswer:
    assembler = FORMATS[spoken].new_assembler()
    for event in events:
        assembler.add(event)
    return FORMATS[spoken].parse_answer(assembler.body())


@pytest.mark.parametrize("blocks", [(THOUGHT, TEXT, LOOK, SECOND, LOOK_AGAIN), (SECOND, THOUGHT, LOOK)])
def test_claude_gets_its_turn_back_as_it_was(blocks: tuple[object, ...]) -> None:
    body = sent(Format.ANTHROPIC_MESSAGES, claude(*blocks))

    assert body["messages"][1]["content"] == list(blocks)


def test_claude_streams_the_thoughts_that_it_gets_back() -> None:
    deltas = (
        {"type": "thinking_delta", "thinking": "Look "},
        {"type": "thinking_delta", "thinking": "first."},
        {"type": "signature_delta", "signature": "s1"},
    )
    begun = {**THOUGHT, "thinking": "", "signature": ""}
    events: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": begun},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_start", "index": 1, "content_block": LOOK},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ]

    answer = streamed(Format.ANTHROPIC_MESSAGES, events)

    assert sent(Format.ANTHROPIC_MESSAGES, answer)["messages"][1]["content"] == [THOUGHT, LOOK]


@pytest.mark.parametrize(
    ("asked_by", "thinking"),
    [(MODEL, {"type": "enabled", "budget_tokens": 2_048}), ("another", {"type": "disabled"})],
)
def test_claude_that_takes_over_between_tool_calls_does_not_begin_to_think(
    asked_by: str, thinking: dict[str, Any]
) -> None:
    body = sent(
        Format.ANTHROPIC_MESSAGES,
        claude(THOUGHT, LOOK),
        asked_by=asked_by,
        reasoning_effort="low",
        reasoning_in_tokens=True,
    )

    assert body["thinking"] == thinking


def test_responses_get_encrypted_thoughts_back_and_ask_for_them() -> None:
    spoken = Format.OPENAI_RESPONSES
    answer = FORMATS[spoken].parse_answer({"status": "completed", "output": [REASONING, FUNCTION_CALL]})

    body = sent(spoken, answer)
    kinds = [item.get("type") for item in body["input"][1:]]

    assert body["input"][1] == REASONING
    assert kinds == ["reasoning", "function_call", "function_call_output"]


def test_thoughts_that_are_not_encrypted_cannot_go_back() -> None:
    spoken = Format.OPENAI_RESPONSES
    bare = {key: value for key, value in REASONING.items() if key != "encrypted_content"}

    answer = FORMATS[spoken].parse_answer({"status": "completed", "output": [bare, FUNCTION_CALL]})

    assert answer.tool_calls[0].signature is None


@pytest.mark.parametrize(
    "thoughts",
    [{"reasoning_content": "Look first."}, {"reasoning_details": DETAILS}, {"reasoning_content": ""}],
)
@pytest.mark.parametrize("spoken", [Format.OPENAI_CHAT, Format.DEEPSEEK_CHAT, Format.MINIMAX_CHAT])
def test_chat_gets_thoughts_back_in_their_field(spoken: Format, thoughts: dict[str, Any]) -> None:
    turn = sent(spoken, chat(spoken, **thoughts), schema=None)["messages"][1]

    assert thoughts.items() <= turn.items()


def test_chat_streams_the_thoughts_that_it_gets_back() -> None:
    deltas = ({"reasoning_content": "Look "}, {"reasoning_content": "first."}, {"tool_calls": [CHAT_CALL]})
    events = ({"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas)
    ended = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}

    answer = streamed(Format.OPENAI_CHAT, [*events, ended])

    assert sent(Format.OPENAI_CHAT, answer)["messages"][1]["reasoning_content"] == "Look first."


@pytest.mark.parametrize(
    ("pieces", "details"),
    [
        (
            [
                {"type": "reasoning.text", "text": "", "signature": "", "format": "f", "index": 0},
                {"type": "reasoning.text", "text": "Look ", "format": "f", "index": 0},
                {"type": "reasoning.text", "text": "first.", "format": None, "index": 0},
                {"type": "reasoning.text", "text": None, "signature": "s1", "index": 0},
            ],
            [{"type": "reasoning.text", "text": "Look first.", "signature": "s1", "format": "f", "index": 0}],
        ),
        (
            [
                {"type": "reasoning.summary", "summary": "Lo", "index": 0},
                {"type": "reasoning.summary", "summary": "ok", "index": 0},
                {"type": "reasoning.summary", "summary": "Again", "index": 1},
            ],
            [
                {"type": "reasoning.summary", "summary": "Look", "index": 0},
                {"type": "reasoning.summary", "summary": "Again", "index": 1},
            ],
        ),
        ([*DETAILS, *DETAILS], [*DETAILS, *DETAILS]),
        ([{"type": ["odd"], "text": 5, "index": {}}], [{"type": ["odd"], "text": "", "index": {}}]),
    ],
)
def test_chat_streams_details_of_thoughts(pieces: list[object], details: list[object]) -> None:
    deltas = (*({"reasoning_details": [piece]} for piece in pieces), {"tool_calls": [CHAT_CALL]})
    events = ({"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas)
    ended = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}

    answer = streamed(Format.OPENAI_CHAT, [*events, ended])

    assert sent(Format.OPENAI_CHAT, answer)["messages"][1]["reasoning_details"] == details


def test_deepseek_gets_empty_thoughts_where_another_model_asked() -> None:
    answer = chat(Format.DEEPSEEK_CHAT, reasoning_content="Look first.")

    turn = sent(Format.DEEPSEEK_CHAT, answer, asked_by="another", schema=None)["messages"][1]

    assert turn["reasoning_content"] == ""


@pytest.mark.parametrize("spoken", Format)
def test_no_other_model_gets_thoughts(spoken: Format) -> None:
    signature = '{"reasoning_content":"theirs"}' if spoken.endswith("chat") else '["theirs"]'
    answer = claude(LOOK)
    signed = replace(answer, tool_calls=(replace(answer.tool_calls[0], signature=signature),))

    assert "theirs" in orjson.dumps(sent(spoken, signed)).decode()
    assert "theirs" not in orjson.dumps(sent(spoken, signed, asked_by="another")).decode()
