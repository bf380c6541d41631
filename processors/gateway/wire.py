"""What passes between the gateway, a wire format and a transport."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from processors.gateway.counts import TokenCount
from processors.model import ModelRequest, ToolCall

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request as it goes out.

    Attributes:
        path: appended to the provider's address; starts with `/`.
        headers: without the key, which the transport adds.
        body: JSON in UTF-8.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """An answer as it came in, whatever its status.

    Attributes:
        status: HTTP status.
        headers: names in lower case.
        body: decoded, at most RESPONSE_BYTES_MAX bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WireStream:
    """An answer that is still coming in.

    Attributes:
        status: HTTP status.
        headers: names in lower case.
        chunks: the body's bytes as they come, at most RESPONSE_BYTES_MAX of them.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class StopReason(StrEnum):
    """Why an answer ends, whatever the format."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    """The model refused, or a safety system blocked the prompt or the answer: an outcome, not a success."""

    PAUSED = "paused"
    """The provider ended the turn within its own tools and wants to be asked to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """What a model said.

    Attributes:
        text: as yet unchecked.
        tool_calls: what the model asks to be done, in its order.
        stop_reason: why the answer ends.
        count: tokens, or None when the provider gave none that can be true.
        response_model: model that answered, as the provider names it, or None.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    stop_reason: StopReason
    count: TokenCount | None
    response_model: str | None


class NotAnAnswerError(ValueError):
    """A body of status 200 is not an answer of its format; the text says what was seen and expected."""


class StreamAssembler(Protocol):
    """Puts the events of a stream together."""

    def add(self, event: Json) -> str:
        """Take the next event. Returns what it brought of text, refusal or tool calls; thoughts are none."""

    @property
    def complete(self) -> bool:
        """Whether the stream said that it is over."""

    def body(self) -> Json:
        """Return what came so far as the body that the same answer has when it is not streamed."""


class WireFormat(Protocol):
    """How one API reads and writes: pure functions of their arguments.

    A further provider is one file in `formats/` with such an object, and a line in `formats/__init__.py`.
    """

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out; headers that name the call are the caller's to add."""

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """Return the headers that carry the key."""

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return what the model said; a refusal and a cut answer are answers too.

        Raises:
            NotAnAnswerError: not an answer of this format.
        """

    def parse_usage(self, found: object) -> TokenCount | None:
        """Return the tokens of a raw usage object, or None when it is none or contradicts itself."""

    def new_assembler(self) -> StreamAssembler:
        """Return an assembler for one stream."""


class Transport(Protocol):
    """The way to one provider."""

    async def send(self, request: WireRequest) -> WireAnswer:
        """Return the provider's answer, of whatever status, within the call's deadline.

        Raises:
            ProviderTimeoutError, ProviderUnavailableError, ProviderMalformedError, ProviderRejectedError.
        """

    def stream(self, request: WireRequest) -> AbstractAsyncContextManager[WireStream]:
        """Open the provider's answer; entering it and reading its chunks raise what `send` raises."""
