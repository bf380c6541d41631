"""Prompts are counted offline when they are near the window, and refused when they do not fit."""

import pytest

from fakes.model_request import a_request
from processors.errors import PromptTooLongError
from processors.gateway import context
from processors.gateway.context import TOKENS_PER_MESSAGE, input_tokens, require_fit
from processors.gateway.formats import FORMATS
from processors.model import ChatMessage, ModelRequest, Tool
from schemas.catalogue import Format

CYRILLIC = "Москва и Санкт-Петербург соединены железной дорогой. " * 40


def asked(text: str, **changes: object) -> ModelRequest:
    return a_request(messages=(ChatMessage(role="user", content=text),), schema=None, **changes)


def body(request: ModelRequest) -> bytes:
    return FORMATS[Format.OPENAI_CHAT].build_request(request).body


@pytest.mark.parametrize(("text", "tokens"), [("hello world", 2), ("tiktoken is great!", 6), ("", 0)])
def test_counts_are_those_of_openais_own_tokenizer(text: str, tokens: int) -> None:
    """Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken."""
    assert input_tokens(asked(text)) == tokens + TOKENS_PER_MESSAGE


def test_schema_and_tools_are_counted_and_special_words_are_text() -> None:
    tool = Tool(name="look", description="Look it up.", parameters={"type": "object"})
    plain = asked("<|endoftext|>")

    assert input_tokens(plain) > TOKENS_PER_MESSAGE + 1
    assert input_tokens(a_request(messages=plain.messages, tools=(tool,))) > input_tokens(plain)


async def test_a_prompt_that_does_not_fit_beside_its_answer_is_refused_with_the_numbers() -> None:
    request = asked("word " * 5_000, output_tokens_max=4_000)
    await require_fit(request, body(request), 10_000)

    with pytest.raises(PromptTooLongError) as raised:
        await require_fit(request, body(request), 8_000)

    said = str(raised.value)
    assert f"{input_tokens(request)} input tokens" in said
    assert "keeps 4000 for the answer, expected at most the 8000 of 'gpt-5-nano'" in said
    assert "word word" not in said


async def test_a_text_of_many_bytes_and_few_tokens_is_let_through() -> None:
    request = asked(CYRILLIC, output_tokens_max=100)
    room = input_tokens(request)
    assert len(body(request)) > 2 * room

    await require_fit(request, body(request), room + 100)


async def test_what_surely_fits_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_request: ModelRequest) -> int:
        raise AssertionError("counted")

    monkeypatch.setattr(context, "input_tokens", never)
    request = asked("short")

    await require_fit(request, body(request), len(body(request)) + request.output_tokens_max)


async def test_without_the_extra_the_provider_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "find_spec", lambda _name: None)
    request = asked("word " * 5_000)

    await require_fit(request, body(request), 2_000)
