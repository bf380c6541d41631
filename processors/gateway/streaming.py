"""Reading an answer that comes in pieces: all of it, the time of its first word, what came if it breaks."""

import asyncio
from datetime import datetime

from processors.errors import ProviderMalformedError, ProviderUnavailableError
from processors.gateway import tokens
from processors.gateway.counts import TokenCount, of_text
from processors.gateway.formats.sse import events
from processors.gateway.reading import OK, parsed_body, read_answer
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer, WireAnswer, WireFormat, WireStream

USAGE_KEYS = ("usage", "usageMetadata")


class StreamReader:
    """Reads one stream.

    Args:
        provider: name in the catalogue, for error texts.
        spoken: the format that the provider speaks.
    """

    def __init__(self, provider: str, spoken: WireFormat) -> None:
        self._provider = provider
        self._spoken = spoken
        self._assembler = spoken.new_assembler()
        self._first_at_s: float | None = None
        self._events_count = 0
        self._output_tokens = 0

    @property
    def first_at_s(self) -> float | None:
        """Time of the event loop when the first word or tool call came, or None."""
        return self._first_at_s

    @property
    def begun(self) -> bool:
        """Whether an answer was under way: an error that comes alone is what a status would have been."""
        return self._events_count > 1

    async def read(self, stream: WireStream, now: datetime) -> ParsedAnswer:
        """Return what the model said, once the stream is over.

        Raises:
            ProviderUnavailableError: the stream ended before the answer did.
            ProviderMalformedError: an event, or what they come to, is not of the format.
            TransientError, PermanentError: the status is not 200, or the stream tells of an error.
        """
        if stream.status != OK:
            body = b"".join([chunk async for chunk in stream.chunks])
            answer = WireAnswer(status=stream.status, headers=stream.headers, body=body)
            return read_answer(self._provider, self._spoken, answer, now)
        try:
            async for event in events(stream.chunks):  # bounded by the transport, in bytes and time
                self._events_count += 1
                self._note(self._assembler.add(event))
        except NotAnAnswerError as error:
            raise ProviderMalformedError(f"{self._provider}: {error}") from error
        if not self._assembler.complete:
            raise ProviderUnavailableError(
                f"{self._provider} ended its stream before the answer's end, expected all of it"
            )
        return parsed_body(self._provider, self._spoken, self._assembler.body(), now)

    def spent(self, input_tokens: int) -> TokenCount | None:
        """Return an estimate of what a stream that broke has cost so far, or None when nothing came.

        Args:
            input_tokens: our own count, for providers that tell theirs at the end.
        """
        if self._first_at_s is None:
            return None
        body = self._assembler.body()
        told = self._spoken.parse_usage(next((body[key] for key in USAGE_KEYS if body.get(key)), None))
        return of_text(told.input if told else input_tokens, self._output_tokens)

    def _note(self, words: str) -> None:
        if words and self._first_at_s is None:
            self._first_at_s = asyncio.get_running_loop().time()
        self._output_tokens += tokens.estimate(words)
