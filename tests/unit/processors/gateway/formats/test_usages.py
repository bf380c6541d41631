from typing import Any

import pytest

from processors.gateway.counts import Kind, Modality, TokenCount, believable
from processors.gateway.formats import FORMATS
from schemas.catalogue import Format
from schemas.usage import Usage


def usage(spoken: Format, found: Any) -> Usage | None:
    count = FORMATS[spoken].parse_usage(found)
    return None if count is None else count.usage


def test_anthropics_cache_classes_are_beside_the_input() -> None:
    found = {
        "input_tokens": 100,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
    }

    assert usage(Format.ANTHROPIC_MESSAGES, found) == Usage(
        input_fresh=100, input_cache_read=5, input_cache_write=30, output=9, reasoning=4
    )
    count = FORMATS[Format.ANTHROPIC_MESSAGES].parse_usage(found)
    assert count is not None
    assert count.tokens[Kind.CACHE_WRITE_1H, Modality.TEXT] == 20


def test_geminis_thoughts_are_beside_the_output_and_its_cache_inside_the_input() -> None:
    found = {
        "promptTokenCount": 345,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 87},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
        "cachedContentTokenCount": 191,
        "cacheTokensDetails": [
            {"modality": "IMAGE", "tokenCount": 143},
            {"modality": "TEXT", "tokenCount": 48},
        ],
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 70,
        "thoughtsTokenCount": 98,
    }

    assert usage(Format.GEMINI, found) == Usage(
        input_fresh=49, input_cache_read=191, input_other=115, output=168, reasoning=98
    )


def test_xais_reasoning_is_beside_the_output() -> None:
    found = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 22,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }

    assert usage(Format.OPENAI_CHAT, found) == Usage(input_fresh=10, output=12, reasoning=7)


@pytest.mark.parametrize("spoken", Format)
@pytest.mark.parametrize("found", [None, [], {}, "7", {"total_tokens": 3}])
def test_what_is_no_usage_is_none(spoken: Format, found: Any) -> None:
    assert usage(spoken, found) is None


def test_a_usage_that_no_call_can_have_is_not_believed() -> None:
    nothing = TokenCount({(Kind.FRESH, Modality.TEXT): 0})
    count = FORMATS[Format.OPENAI_RESPONSES].parse_usage({"input_tokens": 5, "output_tokens": 2_001})

    assert believable(nothing, 5, 1_001) is None
    assert believable(count, 5, 1_000) is None
    assert believable(count, 4, 1_001) is None
    assert believable(count, 5, 1_001) is count
