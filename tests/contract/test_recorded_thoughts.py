"""Recorded turns with tools: the thoughts of an answer go back as the provider was sent them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.model_request import a_request
from fakes.recordings import Exchange, read_recordings
from processors.gateway.formats import FORMATS
from processors.gateway.formats.fields import json_object
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer
from processors.model import ChatMessage
from schemas.catalogue import Format

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
SIGNATURES = frozenset(
    {"signature", "encrypted_content", "thoughtSignature", "reasoning_content", "reasoning_details"}
)
URL_SAFE = str.maketrans("-_", "+/")
"""The recorded client writes Gemini's signatures in the other alphabet of Base64."""


def test_thoughts_go_back_as_they_were_recorded(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    compared = Counter(_compared(request.config.getoption("--recordings")))

    with capsys.disabled():
        print(f"\nthoughts compared, by format: {dict(compared)}")  # noqa: T201 - what is asked for


def test_each_format_with_thoughts_has_some_recorded() -> None:
    assert set(_compared(RECORDINGS)) == {
        Format.ANTHROPIC_MESSAGES,
        Format.OPENAI_RESPONSES,
        Format.GEMINI,
    }


def _compared(folder: Path) -> Iterator[Format]:
    """Compare each recorded answer that has thoughts and tool calls with the request that follows it."""
    exchanges, _ = read_recordings(folder)
    for before, after in pairwise(exchanges):
        found = _answered_thoughtfully(before)
        if found is None or before.format is None or not _goes_on(found, before, after):
            continue
        sent = list(_signatures(_sent_back(before.format, found)))
        recorded = [each for each in _signatures(json_object(after.request)) if each in sent]
        assert sent == recorded != [], before.source
        yield before.format


def _answered_thoughtfully(exchange: Exchange) -> ParsedAnswer | None:
    content = json_object(exchange.body)
    if exchange.format is None or content is None:
        return None
    try:
        parsed = FORMATS[exchange.format].parse_answer(content)
    except NotAnAnswerError:
        return None
    return parsed if any(call.signature for call in parsed.tool_calls) else None


def _goes_on(parsed: ParsedAnswer, before: Exchange, after: Exchange) -> bool:
    """Whether the next request carries the calls; Gemini's have no ids, so their arguments tell."""
    return before.format is after.format and all(
        any(word in after.request.decode() for word in (call.id, f'"args":{call.arguments}'))
        for call in parsed.tool_calls
    )


def _sent_back(spoken: Format, parsed: ParsedAnswer) -> Any:
    model = "a-model"
    calls = tuple(replace(call, asked_by=model) for call in parsed.tool_calls)
    said = ChatMessage(role="assistant", content=parsed.text, tool_calls=calls)
    asked = a_request(model=model, messages=(ChatMessage(role="user", content="?"), said))
    return orjson.loads(FORMATS[spoken].build_request(asked).body)


def _signatures(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key in SIGNATURES and isinstance(value, str):
                yield value.translate(URL_SAFE)
            else:
                yield from _signatures(value)
    elif isinstance(content, list):
        for each in content:
            yield from _signatures(each)
