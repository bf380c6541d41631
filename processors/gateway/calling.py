"""One exchange with a provider: whole or as a stream, as the provider's rules say."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from processors.errors import ProcessingError
from processors.gateway.reading import read_answer, require_answered
from processors.gateway.speech import Speech
from processors.gateway.streaming import StreamReader
from processors.gateway.wire import ParsedAnswer, Transport, WireRequest, WireStream

OnHeaders = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a provider said.

    Attributes:
        parsed: the answer.
        latency_s: seconds from request to whole answer.
        first_token_s: seconds from request to the first word or tool call of a stream, or None.
    """

    parsed: ParsedAnswer
    latency_s: float
    first_token_s: float | None


async def call(
    speech: Speech,
    transport: Transport,
    request: WireRequest,
    now: datetime,
    input_tokens: int,
    on_headers: OnHeaders,
) -> Heard:
    """Return what the provider said.

    Args:
        speech: how the provider is spoken to.
        transport: the way to it.
        request: what is asked.
        now: present time (aware).
        input_tokens: our own count of them.
        on_headers: told the answer's headers, whatever its status.

    Raises:
        ProviderRefusedError: a refusal or safety block.
        TransientError, PermanentError: any other `Provider*Error`. That of a stream which had begun is
            `billed`, whatever its class, and has a note of what had come by then.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    reader = StreamReader(speech.provider, speech.spoken)
    if speech.stream:
        parsed = await _streamed(reader, transport.stream(request), now, input_tokens, on_headers)
    else:
        answer = await transport.send(request)
        on_headers(answer.headers)
        parsed = read_answer(speech.provider, speech.spoken, answer, now)
    require_answered(speech.provider, parsed)
    first_s = reader.first_at_s
    return Heard(
        parsed=parsed,
        latency_s=loop.time() - started_s,
        first_token_s=None if first_s is None else first_s - started_s,
    )


async def _streamed(
    reader: StreamReader,
    opened: AbstractAsyncContextManager[WireStream],
    now: datetime,
    input_tokens: int,
    on_headers: OnHeaders,
) -> ParsedAnswer:
    try:
        async with opened as stream:
            on_headers(stream.headers)
            return await reader.read(stream, now)
    except ProcessingError as error:
        error.billed = error.billed or reader.begun
        spent = reader.spent(input_tokens)
        if spent is not None:
            used = spent.usage
            error.add_note(f"about {used.input} input and {used.output} output tokens had been used")
        raise
