"""Recorded exchanges with real providers, replayed over HTTP: each is understood, or refused by a name."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from builders import NOW
from fakes.recordings import NUMBER_HEADER, Exchange, read_recordings, replaying
from processors.errors import ProcessingError
from processors.gateway.formats import FORMATS
from processors.gateway.reading import OK, read_answer
from processors.gateway.streaming import StreamReader
from processors.gateway.transport import HttpTransport
from processors.gateway.wire import ParsedAnswer, StopReason, WireRequest
from schemas.catalogue import Format, ProviderRules

PARSED_SHARE_MIN = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    exchange: Exchange
    outcome: ParsedAnswer | ProcessingError
    streamed_words_at_s: float | None = None


@pytest.fixture
async def results(request: pytest.FixtureRequest) -> tuple[Result, ...]:
    exchanges, _ = read_recordings(request.config.getoption("--recordings"))
    async with replaying(exchanges) as base_url:
        transports = {
            each: HttpTransport(ProviderRules(name="p", format=each, base_url=base_url), "key")
            for each in Format
        }
        found = [
            await _replayed(number, exchange, exchange.format, transports)
            for number, exchange in enumerate(exchanges)
            if exchange.format is not None
        ]
        for transport in transports.values():
            await transport.aclose()
    return tuple(found)


async def test_every_exchange_is_parsed_or_refused_by_a_name(
    request: pytest.FixtureRequest, results: tuple[Result, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    exchanges, others = read_recordings(request.config.getoption("--recordings"))

    with capsys.disabled():
        print(_report(exchanges, others, results))  # noqa: T201 - what is asked for
    answered = [each for each in results if each.exchange.status == OK]
    # A status of 200 that is refused all the same is no answer of a model yet, or tells of an error.
    assert sum(map(_parsed, answered)) >= PARSED_SHARE_MIN * len(answered) > 0


async def test_what_is_parsed_is_what_the_body_says(results: tuple[Result, ...]) -> None:
    for result in results:
        parsed = result.outcome
        if not isinstance(parsed, ParsedAnswer):
            continue
        usage = _raw_usage(result.exchange)
        if usage is not None and parsed.count is not None:
            assert parsed.count.usage.output == _output(usage), result.exchange.source
        assert bool(parsed.tool_calls) == (parsed.stop_reason is StopReason.TOOL_CALLS), (
            result.exchange.source
        )
        for call in parsed.tool_calls:
            assert call.name
            assert call.id
            assert isinstance(orjson.loads(call.arguments), dict)


async def test_a_usage_is_read_unless_it_contradicts_itself(results: tuple[Result, ...]) -> None:
    unread = [
        each.exchange
        for each in results
        if isinstance(each.outcome, ParsedAnswer) and each.outcome.count is None and _raw_usage(each.exchange)
    ]

    # OpenRouter told once of the same tokens as read from the cache and as written into it.
    assert {each.host for each in unread} <= {"openrouter.ai"}
    assert len(unread) <= len(results) // 50


async def test_a_stream_with_words_tells_when_the_first_one_came(results: tuple[Result, ...]) -> None:
    for result in results:
        if result.exchange.streamed and isinstance(result.outcome, ParsedAnswer):
            spoke = bool(result.outcome.text or result.outcome.tool_calls)
            assert (result.streamed_words_at_s is not None) == spoke, result.exchange.source


async def _replayed(
    number: int, exchange: Exchange, spoken: Format, transports: Mapping[Format, HttpTransport]
) -> Result:
    headers = {"content-type": "application/json", NUMBER_HEADER: str(number)}
    wire = WireRequest(path=exchange.path, headers=headers, body=exchange.request)
    reader = StreamReader("p", FORMATS[spoken])
    try:
        if exchange.streamed:
            async with transports[spoken].stream(wire) as stream:
                parsed = await reader.read(stream, NOW)
        else:
            parsed = read_answer("p", FORMATS[spoken], await transports[spoken].send(wire), NOW)
    except ProcessingError as error:
        return Result(exchange=exchange, outcome=error)
    return Result(exchange=exchange, outcome=parsed, streamed_words_at_s=reader.first_at_s)


def _parsed(result: Result) -> bool:
    return isinstance(result.outcome, ParsedAnswer)


def _raw_usage(exchange: Exchange) -> Any:
    if exchange.streamed:
        return None
    content = orjson.loads(exchange.body)
    return content.get("usage") or content.get("usageMetadata")


def _output(usage: Mapping[str, int]) -> int:
    """All that the model wrote, thoughts included."""
    gemini = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return usage.get("completion_tokens", usage.get("output_tokens", gemini))


def _report(exchanges: tuple[Exchange, ...], others: tuple[str, ...], results: tuple[Result, ...]) -> str:
    reasons = Counter(_stop(each.outcome) for each in results)
    refused = [f"  {each.exchange.source}: {each.outcome}" for each in results if not _parsed(each)]
    unspoken = Counter(f"{each.host}{each.path[:40]}" for each in exchanges if each.format is None)
    told = f"{sum(map(_parsed, results))} parsed, {len(refused)} refused; {dict(reasons)}"
    lines = [
        f"\n{len(exchanges) + len(others)} exchanges, {len(results)} of formats that are spoken: {told}",
        *refused,
        f"not of a format that is spoken: {unspoken.total()} over HTTP, {len(others)} not over HTTP",
        *(f"  {count} {address}" for address, count in unspoken.most_common()),
    ]
    return "\n".join(lines)


def _stop(outcome: ParsedAnswer | ProcessingError) -> str:
    return outcome.stop_reason.value if isinstance(outcome, ParsedAnswer) else type(outcome).__name__
